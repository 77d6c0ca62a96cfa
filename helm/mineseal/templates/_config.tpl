{{/* The configuration file of all services; `mineseal config schema` says what each key takes. */}}
{{- define "mineseal.configuration" -}}
{{- $capacity := include "mineseal.capacity" . | fromJson -}}
data_directory = "/data"

[kafka]
brokers = {{ .Values.kafka.brokers | quote }}
topic_prefix = {{ .Values.kafka.topicPrefix | quote }}
partitions = {{ $capacity.partitions | int64 }}
replication = {{ .Values.kafka.replication | int64 }}
{{- $properties := deepCopy .Values.kafka.properties }}
{{- $users := .Values.kafka.tls.userSecret }}
{{- range $_, $settings := .Values.services }}{{ $users = $users | default $settings.kafkaUserSecret }}{{ end }}
{{- if .Values.kafka.tls.enabled }}
{{- $_ := set $properties "security.protocol" "SSL" }}
{{- $_ := set $properties "ssl.ca.location" "/secrets/kafka-ca/ca.crt" }}
{{- if $users }}
{{- $_ := set $properties "ssl.certificate.location" "/secrets/kafka-user/user.crt" }}
{{- $_ := set $properties "ssl.key.location" "/secrets/kafka-user/user.key" }}
{{- end }}
{{- end }}
{{- with $properties }}

[kafka.properties]
{{- range $name, $value := . }}
{{- /* Numbers of a file are floats here, and large ones would be written as 1e+07. */}}
{{- if kindIs "float64" $value }}{{ $value = int64 $value }}{{ end }}
{{ $name | quote }} = {{ $value | toString | quote }}
{{- end }}
{{- end }}

[clickhouse]
url = {{ .Values.clickhouse.url | quote }}
database = {{ .Values.clickhouse.database | quote }}
user = {{ .Values.clickhouse.user | quote }}
{{- if .Values.clickhouse.passwordSecret }}
password_file = "/secrets/clickhouse/password"
{{- end }}
{{- if .Values.cameras.credentialsSecret }}

[extractor]
credentials_directory = "/secrets/cameras"
{{- end }}

[inference]
workers = {{ .Values.inference.workers | int64 }}
{{- if .Values.inference.weightsClaim }}
weights = {{ printf "/weights/%s" .Values.inference.weightsFile | quote }}
{{- end }}

[console]
listen = "0.0.0.0:{{ .Values.console.port | int64 }}"

[evidence]
{{- if eq .Values.evidence.store "s3" }}
{{- $s3 := .Values.evidence.s3 }}
location = {{ printf "s3://%s/%s" $s3.bucket $s3.prefix | trimSuffix "/" | quote }}

[evidence.s3]
endpoint = {{ $s3.endpoint | quote }}
region = {{ $s3.region | quote }}
access_key_id_file = "/secrets/evidence/access-key-id"
secret_access_key_file = "/secrets/evidence/secret-access-key"
bucket_in_host = {{ $s3.bucketInHost }}
{{- if $s3.caSecret }}
ca_file = "/secrets/evidence-ca/ca.crt"
{{- end }}
{{- else }}
location = "/data/evidence"
{{- end }}

[telemetry]
format = "json"
filter = {{ .Values.telemetry.filter | quote }}
otlp_endpoint = {{ .Values.telemetry.otlpEndpoint | quote }}
listen = "0.0.0.0:{{ .Values.telemetry.metricsPort | int64 }}"
{{- range $platform := .Values.forwarder.platforms }}

[[forwarder.platform]]
name = {{ $platform.name | quote }}
kind = {{ $platform.kind | quote }}
url = {{ $platform.url | quote }}
{{- with $platform.clientId }}
client_id = {{ . | quote }}
{{- end }}
{{- with $platform.clientSecret }}
client_secret_file = {{ printf "/secrets/platforms/%s/%s" $platform.name .key | quote }}
{{- end }}
{{- with $platform.codeTable }}
code_table = {{ printf "/codes/%s/%s" $platform.name .key | quote }}
{{- end }}
{{- end }}
{{- end -}}
