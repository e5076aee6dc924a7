{{/* What a role's process is told: variables, and secrets as files. Takes {root, role}. */}}

{{- define "aftersend.secretsPath" -}}/etc/aftersend/secrets{{- end -}}

{{/* Does the role make or compare tokens? */}}
{{- define "aftersend.usesTokenKey" -}}
{{- if and .root.Values.tokenKey.existingSecret (has .role (list "gateway" "processor" "bootstrap")) }}true{{ end -}}
{{- end -}}

{{/* The variables that the chart sets, as a map. */}}
{{- define "aftersend.chartEnv" -}}
{{- $values := .root.Values -}}
{{- $secrets := include "aftersend.secretsPath" . -}}
AFTERSEND_ENV: {{ $values.environment | quote }}
AFTERSEND_LOG_LEVEL: {{ $values.log.level | quote }}
AFTERSEND_LOG_FORMAT: {{ $values.log.format | quote }}
AFTERSEND_KAFKA: {{ $values.kafka.bootstrap | quote }}
AFTERSEND_KAFKA_SECURITY_PROTOCOL: {{ $values.kafka.securityProtocol | quote }}
AFTERSEND_PARTITIONS: {{ $values.topics.partitions | int | quote }}
{{- with $values.topics.prefix }}
AFTERSEND_TOPIC_PREFIX: {{ . | quote }}
{{- end }}
{{- with $values.kafka.sasl }}
{{- with .mechanism }}
AFTERSEND_KAFKA_SASL_MECHANISM: {{ . | quote }}
{{- end }}
{{- if .username }}
AFTERSEND_KAFKA_SASL_USERNAME: {{ .username | quote }}
{{- else if .usernameKey }}
AFTERSEND_KAFKA_SASL_USERNAME:
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .usernameKey | quote }}
{{- end }}
{{- if .existingSecret }}
AFTERSEND_KAFKA_SASL_PASSWORD_FILE: {{ $secrets }}/kafka/password
{{- end }}
{{- end }}
{{- with $values.kafka.tls }}
{{- if .existingSecret }}
{{- if .caKey }}
AFTERSEND_KAFKA_CA_LOCATION: {{ $secrets }}/kafka/ca.crt
{{- end }}
{{- if .certificateKey }}
AFTERSEND_KAFKA_CERTIFICATE_LOCATION: {{ $secrets }}/kafka/client.crt
AFTERSEND_KAFKA_KEY_LOCATION: {{ $secrets }}/kafka/client.key
{{- end }}
{{- if .privateKeyPasswordKey }}
AFTERSEND_KAFKA_KEY_PASSWORD_FILE: {{ $secrets }}/kafka/client-key-password
{{- end }}
{{- end }}
{{- end }}
{{- if eq $values.kafka.sasl.mechanism "OAUTHBEARER" }}
{{- with $values.kafka.oauth }}
{{- if .tokenAudience }}
AFTERSEND_KAFKA_OAUTH_TOKEN_FILE: {{ $secrets }}/kafka/token
{{- else }}
AFTERSEND_KAFKA_OAUTH_TOKEN_ENDPOINT: {{ .tokenEndpoint | quote }}
AFTERSEND_KAFKA_OAUTH_CLIENT_ID: {{ .clientId | quote }}
AFTERSEND_KAFKA_OAUTH_CLIENT_SECRET_FILE: {{ $secrets }}/kafka/client-secret
{{- with .scope }}
AFTERSEND_KAFKA_OAUTH_SCOPE: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if include "aftersend.usesTokenKey" . }}
AFTERSEND_TOKEN_KEY_FILE: {{ $secrets }}/token-key
{{- end }}
{{- if eq .role "bootstrap" }}
{{- with $values.topics.replication }}
AFTERSEND_REPLICATION: {{ . | int | quote }}
{{- end }}
AFTERSEND_BOOTSTRAP_WAIT: {{ printf "%ds" (sub (int $values.bootstrap.activeDeadlineSeconds) 60 | max 30) | quote }}
AFTERSEND_PROCESSOR_DEDUPE_WINDOW_DAYS: {{ $values.processor.dedupeWindowDays | int | quote }}
{{- else }}
AFTERSEND_ADMIN: {{ printf "%s:9464" $values.listenAddress | quote }}
{{- end }}
{{- if eq .role "gateway" }}
AFTERSEND_LISTEN: {{ printf "%s:8080" $values.listenAddress | quote }}
AFTERSEND_GATEWAY_DRAIN_DELAY: {{ printf "%ds" (int $values.gateway.drainDelaySeconds) | quote }}
CUSTOMERIO_WEBHOOK_SIGNING_KEY_FILE: {{ $secrets }}/signing-keys
{{- if $values.gateway.sourceKeysKey }}
AFTERSEND_GATEWAY_SOURCE_KEYS_FILE: {{ $secrets }}/source-keys
{{- end }}
{{- else if eq .role "processor" }}
AFTERSEND_STATE: /var/lib/aftersend/state
AFTERSEND_PROCESSOR_INSTANCE: $(POD_NAMESPACE)/$(POD_NAME)
AFTERSEND_PROCESSOR_MEMORY: {{ printf "%sMiB" (include "aftersend.processorBudget" .root) | quote }}
AFTERSEND_PROCESSOR_SESSION_TIMEOUT: {{ printf "%ds" (int $values.processor.sessionTimeoutSeconds) | quote }}
AFTERSEND_PROCESSOR_DEDUPE_WINDOW_DAYS: {{ $values.processor.dedupeWindowDays | int | quote }}
{{- else if eq .role "customerioSink" }}
CUSTOMERIO_REGION: {{ $values.customerioSink.region | quote }}
CUSTOMERIO_SITE_ID_FILE: {{ $secrets }}/site-id
CUSTOMERIO_API_KEY_FILE: {{ $secrets }}/api-key
AFTERSEND_CUSTOMERIO_SINK_DRAIN_TIMEOUT: {{ printf "%ds" (int $values.customerioSink.drainTimeoutSeconds) | quote }}
AFTERSEND_CUSTOMERIO_SINK_REQUESTS_PER_SECOND: {{ div (int $values.customerioSink.requestsPerSecond) (max 1 (int $values.customerioSink.replicas)) | quote }}
{{- else if eq .role "bigquerySink" }}
AFTERSEND_WAREHOUSE: {{ $values.bigquerySink.target | quote }}
{{- if $values.bigquerySink.credentials.existingSecret }}
GOOGLE_APPLICATION_CREDENTIALS: {{ $secrets }}/bigquery/credentials.json
{{- end }}
{{- end }}
{{- end -}}

{{/* The list. Each name once: a duplicate is refused by a server-side apply. The pod's own name stands first, since `$(POD_NAME)` is only
     replaced in what follows it. */}}
{{- define "aftersend.env" -}}
{{- $section := include "aftersend.section" . | fromYaml -}}
{{- $env := merge (dict) (omit $section.extraEnv "POD_NAME" "POD_NAMESPACE") (include "aftersend.chartEnv" . | fromYaml) -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- range $name := keys $env | sortAlpha }}
{{- $value := index $env $name }}
- name: {{ $name }}
  {{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
  {{- else }}
  value: {{ toString $value | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The files under secretsPath, as sources of one projected volume: the kubelet follows a changed Secret there, unlike with subPath. */}}
{{- define "aftersend.secretSources" -}}
{{- $values := .root.Values -}}
{{- with $values.kafka.sasl }}
{{- if .existingSecret }}
{{ include "aftersend.secretSource" (list .existingSecret .passwordKey "kafka/password") }}
{{- end }}
{{- end }}
{{- with $values.kafka.tls }}
{{- if .existingSecret }}
{{- if .caKey }}
{{ include "aftersend.secretSource" (list .existingSecret .caKey "kafka/ca.crt") }}
{{- end }}
{{- if .certificateKey }}
{{ include "aftersend.secretSource" (list .existingSecret .certificateKey "kafka/client.crt") }}
{{ include "aftersend.secretSource" (list .existingSecret .privateKeyKey "kafka/client.key") }}
{{- end }}
{{- if .privateKeyPasswordKey }}
{{ include "aftersend.secretSource" (list .existingSecret .privateKeyPasswordKey "kafka/client-key-password") }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq $values.kafka.sasl.mechanism "OAUTHBEARER" }}
{{- with $values.kafka.oauth }}
{{- if .tokenAudience }}
- serviceAccountToken:
    audience: {{ .tokenAudience | quote }}
    expirationSeconds: {{ int .tokenExpirationSeconds }}
    path: kafka/token
{{- else }}
{{ include "aftersend.secretSource" (list .existingSecret .clientSecretKey "kafka/client-secret") }}
{{- end }}
{{- end }}
{{- end }}
{{- if include "aftersend.usesTokenKey" . }}
{{ include "aftersend.secretSource" (list $values.tokenKey.existingSecret $values.tokenKey.key "token-key") }}
{{- end }}
{{- if eq .role "gateway" }}
{{ include "aftersend.secretSource" (list $values.gateway.existingSecret $values.gateway.signingKeysKey "signing-keys") }}
{{- if $values.gateway.sourceKeysKey }}
{{ include "aftersend.secretSource" (list $values.gateway.existingSecret $values.gateway.sourceKeysKey "source-keys") }}
{{- end }}
{{- else if eq .role "customerioSink" }}
{{ include "aftersend.secretSource" (list $values.customerioSink.existingSecret $values.customerioSink.siteIdKey "site-id") }}
{{ include "aftersend.secretSource" (list $values.customerioSink.existingSecret $values.customerioSink.apiKeyKey "api-key") }}
{{- else if eq .role "bigquerySink" }}
{{- with $values.bigquerySink.credentials }}
{{- if .existingSecret }}
{{ include "aftersend.secretSource" (list .existingSecret .key "bigquery/credentials.json") }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "aftersend.secretSource" -}}
- secret:
    name: {{ index . 0 | quote }}
    items:
      - key: {{ index . 1 | quote }}
        path: {{ index . 2 }}
{{- end -}}
