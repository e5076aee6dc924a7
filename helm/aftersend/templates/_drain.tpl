{{/* How long each role's drain can take, in seconds: its longest waits after SIGTERM, one after the other, and a reserve. A test holds these
     against the roles' own limits. */}}
{{- define "aftersend.drainSeconds" -}}
{{- if eq .role "gateway" -}}
{{- /* the drain delay; requests in flight (4 s); connections (2.5 s); the producer's flush (5 s) */ -}}
{{- add (int .root.Values.gateway.drainDelaySeconds) 20 -}}
{{- else if eq .role "processor" -}}
{{- /* its engine gives itself up after 180 s */ -}}
200
{{- else if eq .role "customerioSink" -}}
{{- add (int .root.Values.customerioSink.drainTimeoutSeconds) 30 -}}
{{- else if eq .role "bigquerySink" -}}
{{- /* a batch that waits 30 s for SQLite's write lock, and is then stored and committed */ -}}
90
{{- else -}}
30
{{- end -}}
{{- end -}}

{{- define "aftersend.graceSeconds" -}}
{{- $section := index .root.Values .role -}}
{{- if kindIs "invalid" $section.terminationGracePeriodSeconds -}}
{{- include "aftersend.drainSeconds" . -}}
{{- else -}}
{{- int $section.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}
