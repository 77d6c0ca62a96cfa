{{/*
The capacity formula; docs/capacity.md says it in words and why, scripts/k8s/capacity.py is the same once more, and
the checks compare the two. Whole numbers only, so that both give the same.
*/}}

{{/* (list a b): a/b, rounded up. */}}
{{- define "mineseal.divide-up" -}}
{{- $a := index . 0 | int64 -}}
{{- $b := index . 1 | int64 -}}
{{- div (add $a (sub $b 1)) $b -}}
{{- end -}}

{{- define "mineseal.capacity" -}}
{{- $c := .Values.capacity -}}
{{- $mines := .Values.mines | int64 -}}
{{- $room := add 100 $c.headroomPercent -}}
{{- $cameras := mul $mines $c.camerasPerMine -}}
{{- $frames := mul $cameras $c.framesPerSecondPerCamera -}}
{{- $detected := mul $frames $c.detectedPercent $room -}}
{{- $pod := mul $c.framesPerSecondPerWorker .Values.inference.workers -}}
{{- if .Values.inference.gpu.enabled -}}
{{- $pod = mul $c.framesPerSecondPerGpu .Values.inference.gpu.count -}}
{{- end -}}
{{- $replicas := dict
  "inference" (include "mineseal.divide-up" (list $detected (mul 10000 $pod)) | int64 | max 2)
  "frame-extractor" (include "mineseal.divide-up" (list (mul $cameras $room) (mul 100 $c.camerasPerExtractor)) | int64 | max 2)
  "counter" (include "mineseal.divide-up" (list $mines $c.minesPerCounter) | int64 | max 2)
  "clickhouse-sink" (include "mineseal.divide-up" (list (mul $frames $room) (mul 100 $c.rowsPerSecondPerSink)) | int64 | max 2)
  "platform-forwarder" 2
  "console" 2 -}}
{{- $scaled := max (get $replicas "inference") (get $replicas "counter") (get $replicas "clickhouse-sink") -}}
{{- $most := max (mul 2 $scaled) (include "mineseal.divide-up" (list (mul 3 (get $replicas "frame-extractor")) 2) | int64) -}}
{{- $partitions := mul 12 (include "mineseal.divide-up" (list $most 12)) -}}
{{- if .Values.kafka.partitions -}}
{{- $partitions = .Values.kafka.partitions | int64 -}}
{{- end -}}
{{- $mebibyte := 1048576 -}}
{{- $gibibyte := 1073741824 -}}
{{- $day := 86400 -}}
{{- $frameBytes := min (mul $partitions 1088 $mebibyte) (add (mul $frames $c.frameKilobytes 1024 660) (mul $partitions 64 $mebibyte)) -}}
{{- $detectionRate := mul $frames $c.detectionBytes $day -}}
{{- $detectionBytes := add $detectionRate (min (mul $partitions $gibibyte) (mul 7 $detectionRate)) -}}
{{- $eventBytes := mul $mines $c.eventsPerMinePerDay $c.eventBytes 407 -}}
{{- $compactedBytes := mul $partitions 512 $mebibyte -}}
{{- $topicBytes := div (mul (add $frameBytes $detectionBytes $eventBytes $compactedBytes) $room) 100 -}}
{{- $rowBytes := add (mul $frames $day 7 $c.latencyRowBytes) (mul $mines $c.eventsPerMinePerDay $c.rowDays $c.eventRowBytes) -}}
{{- $evidenceBytes := mul $mines $c.alarmsPerMinePerDay $c.evidenceDays (add $c.pictureKilobytes $c.clipKilobytes) 1024 -}}
{{- $counters := get $replicas "counter" | int64 -}}
{{- dict
  "cameras" $cameras
  "framesPerSecond" $frames
  "partitions" $partitions
  "replicas" $replicas
  "kafkaGibibytesPerBroker" (include "mineseal.divide-up" (list (mul $topicBytes .Values.kafka.replication) (mul $c.brokers $gibibyte)) | int64)
  "clickhouseGibibytes" (include "mineseal.divide-up" (list (mul $rowBytes 2 $room) (mul 100 $gibibyte)) | int64)
  "evidenceGibibytes" (include "mineseal.divide-up" (list (mul $evidenceBytes $room) (mul 100 $gibibyte)) | int64)
  "extractorMebibytes" (add 512 (mul $c.camerasPerExtractor $c.cameraMebibytes))
  "counterMebibytes" (add 512 (mul 8 (include "mineseal.divide-up" (list $mines (sub $counters 1)))))
  "consoleMebibytes" (add 512 (mul 16 $mines))
  | toJson -}}
{{- end -}}

{{/* (dict "root" . "service" name): replicas of a service, as set or from mines. */}}
{{- define "mineseal.replicas" -}}
{{- $set := (index .root.Values.services .service).replicas | int64 -}}
{{- $derived := index (include "mineseal.capacity" .root | fromJson).replicas .service | int64 -}}
{{- if $set }}{{ $set }}{{ else }}{{ $derived }}{{ end -}}
{{- end -}}

{{/* The same: most pods that KEDA may start. More than partitions would have nothing to do. */}}
{{- define "mineseal.max-replicas" -}}
{{- $set := (index .root.Values.services .service).autoscaling.maxReplicas | int64 -}}
{{- $replicas := include "mineseal.replicas" . | int64 -}}
{{- $partitions := (include "mineseal.capacity" .root | fromJson).partitions | int64 -}}
{{- if $set }}{{ $set }}{{ else }}{{ min $partitions (mul 2 $replicas) }}{{ end -}}
{{- end -}}

{{/* The same: requests and limits, with the memory that follows from mines and the GPU where there is one. */}}
{{- define "mineseal.resources" -}}
{{- $resources := deepCopy (index .root.Values.services .service).resources -}}
{{- $capacity := include "mineseal.capacity" .root | fromJson -}}
{{- $derived := "" -}}
{{- if eq .service "frame-extractor" }}{{ $derived = $capacity.extractorMebibytes | int64 }}{{ end -}}
{{- if eq .service "counter" }}{{ $derived = $capacity.counterMebibytes | int64 }}{{ end -}}
{{- if eq .service "console" }}{{ $derived = $capacity.consoleMebibytes | int64 }}{{ end -}}
{{- range $part := list "requests" "limits" -}}
{{- $map := get $resources $part | default dict -}}
{{- if and (hasKey $map "memory") (not (get $map "memory")) -}}
{{- if $derived -}}
{{- $_ := set $map "memory" (printf "%dMi" (ternary $derived (div $derived 2) (eq $part "limits"))) -}}
{{- else -}}
{{- $_ := unset $map "memory" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $gpu := .root.Values.inference.gpu -}}
{{- if and (eq .service "inference") $gpu.enabled -}}
{{- $_ := set $resources "limits" (merge (dict $gpu.resource ($gpu.count | int)) ($resources.limits | default dict)) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
