{{- define "mineseal.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "mineseal.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "mineseal.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "mineseal.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mineseal.selector" -}}
app.kubernetes.io/name: {{ include "mineseal.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mineseal.labels" -}}
{{ include "mineseal.selector" . }}
app.kubernetes.io/part-of: mineseal
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The image of (dict "root" . "service" name): a build for the GPU where inference has one. */}}
{{- define "mineseal.image" -}}
{{- $image := .root.Values.image -}}
{{- $gpu := .root.Values.inference.gpu -}}
{{- if and (eq .service "inference") $gpu.enabled $gpu.image.repository -}}
{{ $gpu.image.repository }}:{{ $gpu.image.tag | default .root.Chart.AppVersion }}
{{- else if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The claim of the evidence volume. */}}
{{- define "mineseal.evidence-claim" -}}
{{- .Values.evidence.existingClaim | default (printf "%s-evidence" (include "mineseal.fullname" .)) -}}
{{- end -}}

{{/* Port of a URL: the one that stands there, or its scheme's. */}}
{{- define "mineseal.url-port" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- if $port }}{{ $port }}{{ else if eq $url.scheme "https" }}443{{ else }}80{{ end -}}
{{- end -}}
