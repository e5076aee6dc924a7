{{/* A Job that Helm runs beside a release. Takes {root, name, hook, args}. Idempotent, with no object of the chart that it would have to
     wait for, and removed by Helm itself: a TTL would take it from a tool that still waits for it. */}}
{{- define "aftersend.hookJob" -}}
{{- $context := dict "root" .root "role" "bootstrap" "args" .args "restartPolicy" "Never" }}
{{- $annotations := dict "helm.sh/hook" .hook "helm.sh/hook-weight" "-5" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" }}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "aftersend.metadata" (merge (dict "name" (printf "%s-%s" (include "aftersend.fullname" .root) .name) "annotations" $annotations) $context) | nindent 2 }}
spec:
  backoffLimit: {{ int .root.Values.bootstrap.backoffLimit }}
  activeDeadlineSeconds: {{ int .root.Values.bootstrap.activeDeadlineSeconds }}
  template:
    {{- include "aftersend.pod" $context | nindent 4 }}
{{- end -}}
