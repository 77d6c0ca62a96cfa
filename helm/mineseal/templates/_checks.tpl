{{/*
Values that are right one by one and contradict each other. Each message says what, and how to mend it. What one
value may be alone stands in values.schema.json.
*/}}

{{/* A quantity of Kubernetes in thousandths, so that 500m and 1Gi compare. */}}
{{- define "mineseal.thousandths" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text | float64 -}}
{{- $unit := regexReplaceAll "^[0-9]+(\\.[0-9]+)?" $text "" -}}
{{- $units := dict "m" 1.0 "" 1000.0 "k" 1e6 "M" 1e9 "G" 1e12 "T" 1e15 "Ki" 1024000.0 "Mi" 1048576000.0 "Gi" 1073741824000.0 "Ti" 1099511627776000.0 -}}
{{- printf "%.0f" (mulf $number (get $units $unit)) -}}
{{- end -}}

{{- define "mineseal.check-values" -}}
{{- $root := . -}}
{{- $capacity := include "mineseal.capacity" . | fromJson -}}
{{- $partitions := $capacity.partitions | int64 -}}
{{- $gpu := .Values.inference.gpu -}}

{{- if gt $partitions 1000 -}}
{{- fail (printf "mines: %d needs %d partitions, and mineseal takes 1000. Set inference.gpu.enabled=true so that fewer pods carry more, or install mineseal twice with another kafka.topicPrefix each." (.Values.mines | int64) $partitions) -}}
{{- end -}}

{{- range $service, $settings := .Values.services -}}
{{- $scope := dict "root" $root "service" $service -}}
{{- $replicas := include "mineseal.replicas" $scope | int64 -}}
{{- $path := printf "services.%s" $service -}}
{{- if ne $service "console" -}}
{{- if gt $replicas $partitions -}}
{{- fail (printf "%s.replicas: %d pods, but the topics have %d partitions: %d of them would never get work. Lower it, or raise kafka.partitions (which counts only until the topics are made)." $path $replicas $partitions (sub $replicas $partitions)) -}}
{{- end -}}
{{- end -}}
{{- if and $root.Values.keda.enabled $settings.autoscaling.enabled -}}
{{- $most := include "mineseal.max-replicas" $scope | int64 -}}
{{- if has $service (list "platform-forwarder" "console") -}}
{{- fail (printf "%s.autoscaling.enabled: this service is not scaled: the forwarder keeps the order of each platform and the console shows everything in every pod. Set it to false, and %s.replicas instead." $path $path) -}}
{{- end -}}
{{- if lt $most $replicas -}}
{{- fail (printf "%s.autoscaling.maxReplicas: %d is less than the %d pods that it starts with. Raise it, set it to 0 (twice the pods), or lower %s.replicas." $path $most $replicas $path) -}}
{{- end -}}
{{- if gt $most $partitions -}}
{{- fail (printf "%s.autoscaling.maxReplicas: %d pods, but the topics have %d partitions: more pods would have no work. Lower it, or raise kafka.partitions (which counts only until the topics are made)." $path $most $partitions) -}}
{{- end -}}
{{- if and (eq $service "frame-extractor") (not $root.Values.keda.prometheusAddress) -}}
{{- fail (printf "%s.autoscaling.enabled: extractors follow the number of cameras, which Prometheus knows. Set keda.prometheusAddress, such as http://prometheus.monitoring:9090, or leave autoscaling off." $path) -}}
{{- end -}}
{{- end -}}

{{- $resources := include "mineseal.resources" $scope | fromYaml -}}
{{- range $name, $wanted := $resources.requests -}}
{{- if hasKey ($resources.limits | default dict) $name -}}
{{- $limit := get $resources.limits $name -}}
{{- if lt (include "mineseal.thousandths" $limit | float64) (include "mineseal.thousandths" $wanted | float64) -}}
{{- fail (printf "%s.resources.limits.%s: %v is less than the %v that it requests. Raise the limit or lower the request." $path $name $limit $wanted) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $devices := list -}}
{{- range $part := list "requests" "limits" -}}
{{- range $name, $_ := get $resources $part | default dict -}}
{{- if contains "/" $name }}{{ $devices = append $devices $name | uniq }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if gt (len $devices) 1 -}}
{{- fail (printf "%s: two kinds of device, %s. A pod works on one: keep inference.gpu.resource and take the other out of %s.resources." $path (join " and " $devices) $path) -}}
{{- end -}}
{{- if and $devices (not (and (eq $service "inference") $gpu.enabled)) -}}
{{- if eq $service "inference" -}}
{{- fail (printf "%s.resources asks for %s while inference.gpu.enabled is false: two device kinds, CPU and GPU. Take it out, or set inference.gpu.enabled=true and inference.gpu.resource=%s." $path (first $devices) (first $devices)) -}}
{{- else -}}
{{- fail (printf "%s.resources asks for %s, and only inference uses devices. Take it out." $path (first $devices)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $evidence := .Values.evidence -}}
{{- if eq $evidence.store "s3" -}}
{{- if not $evidence.s3.bucket -}}
{{- fail "evidence.s3.bucket: empty, while evidence.store is s3. Set the name of a bucket that is there." -}}
{{- end -}}
{{- if not $evidence.s3.credentialsSecret -}}
{{- fail "evidence.s3.credentialsSecret: empty, while evidence.store is s3. Set the Secret with access-key-id and secret-access-key." -}}
{{- end -}}
{{- range $name := list "size" "storageClass" "existingClaim" -}}
{{- if get $evidence $name -}}
{{- fail (printf "evidence.%s: is of a volume, while evidence.store is s3, which has none. Leave it empty, or set evidence.store=folder." $name) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- range $name := list "endpoint" "region" "bucket" "prefix" "credentialsSecret" "caSecret" "bucketInHost" -}}
{{- if get $evidence.s3 $name -}}
{{- fail (printf "evidence.s3.%s: is set, while evidence.store is folder. Set evidence.store=s3, or leave it empty." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq $evidence.store "folder") (ne $evidence.accessMode "ReadWriteMany") -}}
{{- range $service := list "frame-extractor" "console" -}}
{{- $replicas := include "mineseal.replicas" (dict "root" $root "service" $service) | int64 -}}
{{- if gt $replicas 1 -}}
{{- fail (printf "evidence.accessMode: %s is a volume of one node, and there are %d pods of %s that share it. Set it to ReadWriteMany with a storage class that can do so, or services.%s.replicas=1 on a single node." $evidence.accessMode $replicas $service $service) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and .Values.inference.weightsClaim (not .Values.inference.weightsFile) -}}
{{- fail "inference.weightsFile: empty, while inference.weightsClaim names a volume. Set the name of the safetensors file in it." -}}
{{- end -}}
{{- if and .Values.inference.weightsFile (not .Values.inference.weightsClaim) -}}
{{- fail "inference.weightsClaim: empty, while inference.weightsFile names a file. Set the PersistentVolumeClaim that holds it." -}}
{{- end -}}

{{- $tls := .Values.kafka.tls -}}
{{- if $tls.enabled -}}
{{- if not $tls.caSecret -}}
{{- fail "kafka.tls.caSecret: empty, while kafka.tls.enabled is true. Set the Secret with ca.crt; Strimzi's is called <cluster>-cluster-ca-cert." -}}
{{- end -}}
{{- range $name := list "security.protocol" "ssl.ca.location" "ssl.certificate.location" "ssl.key.location" -}}
{{- if hasKey $root.Values.kafka.properties $name -}}
{{- fail (printf "kafka.properties: %s is set by kafka.tls as well. Take it out, or set kafka.tls.enabled=false." $name) -}}
{{- end -}}
{{- end -}}
{{- range $service, $settings := .Values.services -}}
{{- if and $settings.kafkaUserSecret (not $tls.userSecret) -}}
{{- fail (printf "kafka.tls.userSecret: empty, while services.%s.kafkaUserSecret names a Secret. Set it too: the Jobs and every service without a Secret of its own use it." $service) -}}
{{- end -}}
{{- end -}}
{{- else if or $tls.userSecret $tls.caSecret -}}
{{- fail "kafka.tls.enabled: false, while a Secret for TLS is named. Set it to true, or leave kafka.tls.caSecret and kafka.tls.userSecret empty." -}}
{{- end -}}

{{- if eq (.Values.telemetry.metricsPort | int64) (.Values.console.port | int64) -}}
{{- fail (printf "telemetry.metricsPort and console.port are both %d. Give one of them another port." (.Values.console.port | int64)) -}}
{{- end -}}
{{- if and .Values.console.gateway.enabled (not .Values.console.gateway.parentRefs) -}}
{{- fail "console.gateway.parentRefs: empty, while console.gateway.enabled is true. Name the Gateway, such as [{name: public, namespace: gateways}]." -}}
{{- end -}}

{{- $names := list -}}
{{- range .Values.forwarder.platforms -}}
{{- if has .name $names -}}
{{- fail (printf "forwarder.platforms: two are called %s; the name is part of the consumer group. Give one another name." .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
