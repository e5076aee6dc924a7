{{/* Names and labels. A role is named by its section in values: gateway, processor, customerioSink, bigquerySink, bootstrap. */}}

{{- define "aftersend.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* 40 characters, since a StatefulSet's pods are labelled with its name and a hash, and a label holds 63. */}}
{{- define "aftersend.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "aftersend.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "aftersend.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The role as in commands, labels and names: customerioSink is customerio-sink. Takes {root, role}. */}}
{{- define "aftersend.component" -}}
{{- kebabcase .role -}}
{{- end -}}

{{- define "aftersend.componentName" -}}
{{- printf "%s-%s" (include "aftersend.fullname" .root) (include "aftersend.component" .) -}}
{{- end -}}

{{/* What selects a role's pods. Nothing that changes with a version: a selector and a claim can't be changed. */}}
{{- define "aftersend.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aftersend.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ include "aftersend.component" . | quote }}
{{- end -}}

{{/* Labels of an object; without a role: of one that belongs to all. */}}
{{- define "aftersend.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
app.kubernetes.io/part-of: aftersend
{{- if .role }}
{{ include "aftersend.selectorLabels" . }}
{{- else }}
app.kubernetes.io/name: {{ include "aftersend.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An object's metadata. Takes {root, role, name, annotations}. */}}
{{- define "aftersend.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "aftersend.labels" . | nindent 2 }}
{{- $annotations := merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "aftersend.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default $image.registry .Values.global.imageRegistry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest -}}@{{ $image.digest }}{{- else -}}:{{ default .Chart.AppVersion $image.tag }}{{- end -}}
{{- end -}}

{{- define "aftersend.pullSecrets" -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq }}
- name: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "aftersend.serviceAccountName" -}}
{{- $account := (index .root.Values .role).serviceAccount -}}
{{- if $account.create -}}
{{- default (include "aftersend.componentName" .) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{/* A role's section over `defaults`, as YAML. */}}
{{- define "aftersend.section" -}}
{{- $section := deepCopy (index .root.Values .role) -}}
{{- range $key, $default := .root.Values.defaults -}}
{{- if not (hasKey $section $key) -}}
{{- $_ := set $section $key $default -}}
{{- else if has $key (list "extraEnv" "podLabels" "podAnnotations" "nodeSelector") -}}
{{- $_ := set $section $key (merge (dict) (default (dict) (index $section $key)) (default (dict) $default)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $section -}}
{{- end -}}

{{- define "aftersend.isSqlite" -}}
{{- if hasPrefix "sqlite:" .Values.bigquerySink.target }}true{{ end -}}
{{- end -}}

{{/* What no two releases may share. */}}
{{- define "aftersend.topicsIdentity" -}}
{{- printf "%s|%s" .Values.kafka.bootstrap .Values.topics.prefix | sha256sum | trunc 16 -}}
{{- end -}}

{{/* All that a balancer routes to the gateway. */}}
{{- define "aftersend.webhookPaths" -}}
- /v1/webhooks
- /webhooks
{{- end -}}
