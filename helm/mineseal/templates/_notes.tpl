{{/* What to do next; NOTES.txt prints it. */}}
{{- define "mineseal.notes" -}}
{{- $full := include "mineseal.fullname" . -}}
{{- $capacity := include "mineseal.capacity" . | fromJson -}}
mineseal {{ .Chart.AppVersion }} is installed as {{ .Release.Name }} in {{ .Release.Namespace }}, for {{ .Values.mines | int64 }} mines: {{ $capacity.partitions | int64 }} partitions,
{{ $capacity.kafkaGibibytesPerBroker | int64 }} GiB for each Kafka broker, {{ $capacity.clickhouseGibibytes | int64 }} GiB for ClickHouse (docs/capacity.md).

1. See that everything works:
     kubectl -n {{ .Release.Namespace }} get pods -l app.kubernetes.io/instance={{ .Release.Name }}
   A pod that is Running and not ready waits for Kafka or ClickHouse; its log says for which. A pod that stays in
   ContainerCreating misses a Secret or a volume: `kubectl describe pod` names it.
{{ if .Values.registration.configMap }}
2. Mines and cameras were registered from the ConfigMap {{ .Values.registration.configMap }}.
{{- else }}
2. Register mines and cameras (config/mines.example.toml shows the file):
     kubectl -n {{ .Release.Namespace }} exec -i deploy/{{ $full }}-console -- \
       mineseal --config /config/mineseal.toml mines apply /dev/stdin < mines.toml
{{- end }}

3. Look at the console:
{{- if .Values.console.ingress.enabled }}
     {{ ternary "https" "http" (ne .Values.console.ingress.tlsSecret "") }}://{{ .Values.console.ingress.host }}
{{- else if .Values.console.gateway.enabled }}
     http://{{ first .Values.console.gateway.hostnames }}
{{- else }}
     kubectl -n {{ .Release.Namespace }} port-forward svc/{{ $full }}-console 8080:80
     http://localhost:8080
{{- end }}
{{- if not .Values.forwarder.platforms }}

No upper platform is set (forwarder.platforms): nothing is reported to the authorities.
{{- end }}
{{- if not .Values.serviceMonitor.enabled }}

Nobody measures: with the Prometheus operator set serviceMonitor.enabled=true, and `kubectl apply -k k8s/monitoring`
for alerts and dashboards.
{{- end }}
{{- end -}}
