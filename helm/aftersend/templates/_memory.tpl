{{/* A Kubernetes quantity of memory in MiB, rounded down: 2Gi is 2048, 2G is 1907. */}}
{{- define "aftersend.mebibytes" -}}
{{- /* YAML reads bare bytes as a float. */ -}}
{{- $text := ternary (toString .) (printf "%d" (int64 .)) (kindIs "string" .) -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text | float64 -}}
{{- $unit := regexReplaceAll "^[0-9]+(\\.[0-9]+)?" $text "" -}}
{{- $factors := dict "" 0.00000095367431640625 "k" 0.00095367431640625 "Ki" 0.0009765625 "M" 0.95367431640625 "Mi" 1.0 "G" 953.67431640625 "Gi" 1024.0 "T" 953674.31640625 "Ti" 1048576.0 -}}
{{- if not (hasKey $factors $unit) -}}
{{- fail (printf "\n\n%q is no quantity of memory that this chart can read. Write it with Mi or Gi, such as 2Gi.\n" $text) -}}
{{- end -}}
{{- mulf $number (index $factors $unit) | floor | int64 -}}
{{- end -}}

{{/* The budget of processor.memory in MiB. */}}
{{- define "aftersend.processorBudget" -}}
{{- $limit := include "aftersend.mebibytes" .Values.processor.resources.limits.memory -}}
{{- mulf (float64 $limit) (float64 .Values.processor.memoryShare) | floor | int64 -}}
{{- end -}}
