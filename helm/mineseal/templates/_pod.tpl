{{/* Pod Security `restricted`, for every pod and for every container. */}}
{{- define "mineseal.pod-security" -}}
{{ toYaml .Values.podSecurityContext }}
runAsNonRoot: true
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "mineseal.container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The Secret with the client certificate of (dict "root" . "service" name); empty: none. */}}
{{- define "mineseal.kafka-user" -}}
{{- $tls := .root.Values.kafka.tls -}}
{{- if $tls.enabled -}}
{{- (index .root.Values.services .service | default dict).kafkaUserSecret | default $tls.userSecret -}}
{{- end -}}
{{- end -}}

{{/* Environment of a container of (dict "root" . "service" name). */}}
{{- define "mineseal.environment" -}}
{{- $own := (index .root.Values.services .service | default dict).extraEnv | default list -}}
{{- $fixed := list -}}
{{- if eq .service "counter" -}}
{{- /* The pod's name outlives a restart: a restarted counter takes its own place in the group at once. */ -}}
{{- $fixed = list (dict "name" "MINESEAL_COUNTER__INSTANCE" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.name"))) -}}
{{- end -}}
{{- with concat $fixed .root.Values.extraEnv $own }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.kafka.propertiesSecret }}
envFrom:
  - secretRef: { name: {{ . }} }
{{- end }}
{{- end -}}

{{/* Which of the volumes below a service has: only what it reads. */}}
{{- define "mineseal.mounts" -}}
{{- $root := .root -}}
- { name: config, mountPath: /config, readOnly: true }
- { name: temporary, mountPath: /tmp }
{{- if has .service (list "frame-extractor" "console") }}
{{- if eq $root.Values.evidence.store "s3" }}
- { name: evidence-key, mountPath: /secrets/evidence, readOnly: true }
{{- if $root.Values.evidence.s3.caSecret }}
- { name: evidence-ca, mountPath: /secrets/evidence-ca, readOnly: true }
{{- end }}
{{- else }}
- { name: evidence, mountPath: /data/evidence }
{{- end }}
{{- end }}
{{- if and (has .service (list "clickhouse-sink" "prepare")) $root.Values.clickhouse.passwordSecret }}
- { name: clickhouse, mountPath: /secrets/clickhouse, readOnly: true }
{{- end }}
{{- if $root.Values.kafka.tls.enabled }}
- { name: kafka-ca, mountPath: /secrets/kafka-ca, readOnly: true }
{{- end }}
{{- if include "mineseal.kafka-user" . }}
- { name: kafka-user, mountPath: /secrets/kafka-user, readOnly: true }
{{- end }}
{{- if and (eq .service "frame-extractor") $root.Values.cameras.credentialsSecret }}
- { name: camera-credentials, mountPath: /secrets/cameras, readOnly: true }
{{- end }}
{{- if and (eq .service "inference") $root.Values.inference.weightsClaim }}
- { name: weights, mountPath: /weights, readOnly: true }
{{- end }}
{{- if eq .service "platform-forwarder" }}
{{- range $root.Values.forwarder.platforms }}
{{- if .clientSecret }}
- { name: platform-{{ .name }}, mountPath: /secrets/platforms/{{ .name }}, readOnly: true }
{{- end }}
{{- if .codeTable }}
- { name: codes-{{ .name }}, mountPath: /codes/{{ .name }}, readOnly: true }
{{- end }}
{{- end }}
{{- end }}
{{- with (index $root.Values.services .service | default dict).extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mineseal.volumes" -}}
{{- $root := .root -}}
- name: config
  configMap: { name: {{ .config | default (include "mineseal.fullname" $root) }} }
- name: temporary
  emptyDir: {}
{{- if has .service (list "frame-extractor" "console") }}
{{- if eq $root.Values.evidence.store "s3" }}
- name: evidence-key
  secret: { secretName: {{ $root.Values.evidence.s3.credentialsSecret }} }
{{- with $root.Values.evidence.s3.caSecret }}
- name: evidence-ca
  secret: { secretName: {{ . }} }
{{- end }}
{{- else }}
- name: evidence
  persistentVolumeClaim: { claimName: {{ include "mineseal.evidence-claim" $root }} }
{{- end }}
{{- end }}
{{- if and (has .service (list "clickhouse-sink" "prepare")) $root.Values.clickhouse.passwordSecret }}
- name: clickhouse
  secret: { secretName: {{ $root.Values.clickhouse.passwordSecret }} }
{{- end }}
{{- if $root.Values.kafka.tls.enabled }}
- name: kafka-ca
  secret: { secretName: {{ $root.Values.kafka.tls.caSecret }} }
{{- end }}
{{- with include "mineseal.kafka-user" . }}
- name: kafka-user
  secret: { secretName: {{ . }} }
{{- end }}
{{- if and (eq .service "frame-extractor") $root.Values.cameras.credentialsSecret }}
- name: camera-credentials
  secret: { secretName: {{ $root.Values.cameras.credentialsSecret }} }
{{- end }}
{{- if and (eq .service "inference") $root.Values.inference.weightsClaim }}
- name: weights
  persistentVolumeClaim: { claimName: {{ $root.Values.inference.weightsClaim }}, readOnly: true }
{{- end }}
{{- if eq .service "platform-forwarder" }}
{{- range $platform := $root.Values.forwarder.platforms }}
{{- with $platform.clientSecret }}
- name: platform-{{ $platform.name }}
  secret: { secretName: {{ .name }} }
{{- end }}
{{- with $platform.codeTable }}
- name: codes-{{ $platform.name }}
  configMap: { name: {{ .name }} }
{{- end }}
{{- end }}
{{- end }}
{{- with (index $root.Values.services .service | default dict).extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The pod of a Job of (dict "root" . "service" name); what the container is to do follows it. */}}
{{- define "mineseal.job-pod" -}}
# Failed attempts stay with their logs.
restartPolicy: Never
serviceAccountName: {{ include "mineseal.fullname" .root }}-{{ .service }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "mineseal.pod-security" .root | nindent 2 }}
volumes:
  {{- include "mineseal.volumes" . | nindent 2 }}
  {{- if eq .service "registration" }}
  - name: mines
    configMap: { name: {{ .root.Values.registration.configMap }} }
  {{- end }}
containers:
  - name: {{ .service }}
    image: {{ include "mineseal.image" . }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    {{- include "mineseal.environment" . | nindent 4 }}
    resources: {{- toYaml .root.Values.prepare.resources | nindent 6 }}
    securityContext: {{- include "mineseal.container-security" .root | nindent 6 }}
    volumeMounts:
      {{- include "mineseal.mounts" . | nindent 6 }}
      {{- if eq .service "registration" }}
      - { name: mines, mountPath: /mines, readOnly: true }
      {{- end }}
    command: [/usr/local/bin/mineseal]
{{- end -}}
