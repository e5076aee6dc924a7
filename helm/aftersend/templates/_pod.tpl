{{/* The one pod template. Takes {root, role, args, restartPolicy, volumes, dataVolume}: `volumes` is YAML of further ones, `dataVolume` the name
     of the one for /var/lib/aftersend. */}}
{{- define "aftersend.pod" -}}
{{- $section := include "aftersend.section" . | fromYaml -}}
{{- $job := .restartPolicy -}}
{{- $sources := include "aftersend.secretSources" . | trim -}}
metadata:
  labels:
    {{- include "aftersend.labels" . | nindent 4 }}
    {{- with omit $section.podLabels "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with merge (dict) $section.podAnnotations (dict "kubectl.kubernetes.io/default-container" "aftersend") .root.Values.commonAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if $job }}
  # No ServiceAccount of the chart: it doesn't exist yet when a hook of the first install runs.
  restartPolicy: {{ $job }}
  {{- else }}
  serviceAccountName: {{ include "aftersend.serviceAccountName" . | quote }}
  {{- end }}
  automountServiceAccountToken: false
  # A Service called <release>-gateway would make variables that begin with AFTERSEND_.
  enableServiceLinks: false
  {{- with include "aftersend.pullSecrets" .root | trim }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $section.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ include "aftersend.graceSeconds" . }}
  {{- with $section.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with $section.runtimeClassName }}
  runtimeClassName: {{ . | quote }}
  {{- end }}
  {{- with $section.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $section.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $section.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if not $job }}
  {{- if kindIs "invalid" $section.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "aftersend.selectorLabels" $ | nindent 10 }}
    {{- end }}
  {{- else }}
  {{- with $section.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- end }}
  containers:
    - name: aftersend
      image: {{ include "aftersend.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [/usr/local/bin/aftersend]
      args:
        {{- range .args }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- include "aftersend.env" . | nindent 8 }}
      {{- with $section.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if not $job }}
      ports:
        - name: admin
          containerPort: 9464
          protocol: TCP
        {{- if eq .role "gateway" }}
        - name: http
          containerPort: 8080
          protocol: TCP
        {{- end }}
      # Liveness knows nothing of Kafka or a vendor: a restart mends neither.
      livenessProbe:
        httpGet:
          path: /livez
          port: admin
        {{- toYaml $section.livenessProbe | nindent 8 }}
      readinessProbe:
        httpGet:
          path: /readyz
          port: admin
        {{- toYaml $section.readinessProbe | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml $section.securityContext | nindent 8 }}
      resources:
        {{- toYaml $section.resources | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- if $sources }}
        - name: secrets
          mountPath: {{ include "aftersend.secretsPath" . }}
          readOnly: true
        {{- end }}
        {{- with .dataVolume }}
        - name: {{ . }}
          mountPath: /var/lib/aftersend
        {{- end }}
        {{- with $section.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- if $sources }}
    - name: secrets
      projected:
        # 0440: read by the group of fsGroup.
        defaultMode: 288
        sources:
          {{- $sources | nindent 10 }}
    {{- end }}
    {{- with .volumes }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with $section.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
