{{/*
Secrets and ConfigMaps that the values name have to be there. Without them a pod would stay in ContainerCreating and say
so in its events only. Looked up where Helm speaks with a cluster; `helm template` does not.
*/}}
{{- define "mineseal.check-references" -}}
{{- $root := . -}}
{{- $namespace := .Release.Namespace -}}
{{- if .Values.checkReferences -}}
{{- $needs := list -}}
{{- with .Values.clickhouse.passwordSecret -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" "clickhouse.passwordSecret" "name" . "keys" (list "password")) -}}
{{- end -}}
{{- with .Values.kafka.propertiesSecret -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" "kafka.propertiesSecret" "name" . "keys" list) -}}
{{- end -}}
{{- if .Values.kafka.tls.enabled -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" "kafka.tls.caSecret" "name" .Values.kafka.tls.caSecret "keys" (list "ca.crt")) -}}
{{- with .Values.kafka.tls.userSecret -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" "kafka.tls.userSecret" "name" . "keys" (list "user.crt" "user.key")) -}}
{{- end -}}
{{- range $service, $settings := .Values.services -}}
{{- with $settings.kafkaUserSecret -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" (printf "services.%s.kafkaUserSecret" $service) "name" . "keys" (list "user.crt" "user.key")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.cameras.credentialsSecret -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" "cameras.credentialsSecret" "name" . "keys" list) -}}
{{- end -}}
{{- if eq .Values.evidence.store "s3" -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" "evidence.s3.credentialsSecret" "name" .Values.evidence.s3.credentialsSecret "keys" (list "access-key-id" "secret-access-key")) -}}
{{- with .Values.evidence.s3.caSecret -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" "evidence.s3.caSecret" "name" . "keys" (list "ca.crt")) -}}
{{- end -}}
{{- end -}}
{{- range .Values.forwarder.platforms -}}
{{- with .clientSecret -}}
{{- $needs = append $needs (dict "kind" "Secret" "value" "forwarder.platforms[].clientSecret" "name" .name "keys" (list .key)) -}}
{{- end -}}
{{- with .codeTable -}}
{{- $needs = append $needs (dict "kind" "ConfigMap" "value" "forwarder.platforms[].codeTable" "name" .name "keys" (list .key)) -}}
{{- end -}}
{{- end -}}
{{- with .Values.registration.configMap -}}
{{- $needs = append $needs (dict "kind" "ConfigMap" "value" "registration.configMap" "name" . "keys" (list $root.Values.registration.key)) -}}
{{- end -}}

{{- $missing := list -}}
{{- range $kind := list "Secret" "ConfigMap" -}}
{{- $wanted := list -}}
{{- range $needs }}{{ if eq .kind $kind }}{{ $wanted = append $wanted . }}{{ end }}{{ end -}}
{{- if $wanted -}}
{{- $found := lookup "v1" $kind $namespace "" -}}
{{- /* Empty where Helm has no cluster; with one it is a list, be it of nothing. */}}
{{- if $found -}}
{{- $known := dict -}}
{{- range $found.items }}{{ $_ := set $known .metadata.name (.data | default dict) }}{{ end -}}
{{- range $wanted -}}
{{- $command := ternary (printf "secret generic %s" .name) (printf "configmap %s" .name) (eq $kind "Secret") -}}
{{- range .keys }}{{ $command = printf "%s --from-file=%s=FILE" $command . }}{{ end -}}
{{- if not (hasKey $known .name) -}}
{{- $missing = append $missing (printf "%s: there is no %s %s in the namespace %s. Make it first: kubectl -n %s create %s" .value $kind .name $namespace $namespace $command) -}}
{{- else -}}
{{- $data := get $known .name -}}
{{- $need := . -}}
{{- range .keys -}}
{{- if not (hasKey $data .) -}}
{{- $missing = append $missing (printf "%s: the %s %s has no key %s. Make it anew: kubectl -n %s create %s" $need.value $kind $need.name . $namespace $command) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $missing -}}
{{- fail (printf "\n%s\n(checkReferences=false leaves this out, where they come later.)" (join "\n" $missing)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
