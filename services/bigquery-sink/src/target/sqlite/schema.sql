-- Version 3 of the warehouse in SQLite.
--
-- Times are ISO 8601 text in UTC with milliseconds, such as 2026-11-20T12:34:56.789Z: a reader sees a time, text order is
-- time order, and SQLite's date functions take it. Flags are 1, 0, or NULL where the event doesn't say.

CREATE TABLE message_outcomes (
    outcome_id               TEXT NOT NULL PRIMARY KEY,  -- inserted plainly: a second one ends in message_outcome_conflicts
    event_id                 TEXT NOT NULL,              -- as its sender gave it; two customers may have the same one
    event_type               TEXT NOT NULL,              -- object and metric, such as email_bounced
    timestamp                TEXT NOT NULL,              -- when it happened; see time_source
    received_at              TEXT NOT NULL,              -- when the gateway received it
    inserted_at              TEXT NOT NULL,              -- when this row was written
    customer_id              TEXT NOT NULL,              -- the customer key
    recipient_token          TEXT,                       -- keyed token of the address, never the address
    recipient_domain         TEXT,
    delivery_id              TEXT,                       -- the message instance
    campaign_id              TEXT,
    action_id                TEXT,
    broadcast_id             TEXT,
    newsletter_id            TEXT,
    transactional_message_id TEXT,
    template_id              TEXT,
    subject                  TEXT,
    href                     TEXT,
    link_id                  TEXT,
    channel                  TEXT NOT NULL,
    bounce_class             TEXT,
    bounce_blame             TEXT,                       -- recipient, domain, infrastructure, sender or content
    machine                  INTEGER CHECK (machine IN (0, 1)),     -- the click was made by a machine
    prefetched               INTEGER CHECK (prefetched IN (0, 1)),  -- the open was a prefetch
    proxied                  INTEGER CHECK (proxied IN (0, 1)),     -- the open came through a proxy
    synthetic                INTEGER CHECK (synthetic IN (0, 1)),   -- the open was inferred from a click
    source                   TEXT NOT NULL,
    metadata                 TEXT NOT NULL CHECK (json_valid(metadata)),  -- all other fields, one JSON object
    metric                   TEXT NOT NULL,              -- sent, delivered, opened, clicked, bounced, ...
    time_source              TEXT NOT NULL,              -- event, or received where the event's time was missing or absurd
    failure_message          TEXT,                       -- the provider's reply, addresses replaced by their tokens
    bounce_reason            TEXT,                       -- the provider's own code for a failure, such as 5.1.1
    bounce_confidence        TEXT,                       -- how sure the classifier is: low, medium or high
    bounce_rule              TEXT,                       -- the classifier's rule
    classifier               TEXT NOT NULL,              -- the classifier's version; empty where it read nothing
    appended_at              TEXT NOT NULL,              -- when the raw topic took it
    kafka_topic              TEXT NOT NULL,
    kafka_partition          INTEGER NOT NULL,
    kafka_offset             INTEGER NOT NULL
) STRICT;

-- Outcomes whose id another row holds. It stays empty as long as every outcome is published once.
CREATE TABLE message_outcome_conflicts (
    outcome_id       TEXT NOT NULL,
    kafka_topic      TEXT NOT NULL,
    kafka_partition  INTEGER NOT NULL,
    kafka_offset     INTEGER NOT NULL,
    stored_topic     TEXT NOT NULL,     -- where the row of message_outcomes was read
    stored_partition INTEGER NOT NULL,
    stored_offset    INTEGER NOT NULL,
    inserted_at      TEXT NOT NULL,
    outcome          TEXT NOT NULL,     -- the outcome that was kept out, whole, as JSON
    PRIMARY KEY (kafka_topic, kafka_partition, kafka_offset)
) STRICT;

-- How far each partition is stored: moved in the same transaction as the rows, so that each is stored once (S1).
CREATE TABLE sink_offsets (
    topic       TEXT NOT NULL,
    "partition" INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    cluster_id  TEXT,                  -- of which cluster and which topic: a topic made anew has another id
    topic_id    TEXT,
    PRIMARY KEY (topic, "partition")
) STRICT;

-- The name to query in every warehouse. Here the primary key has done the work already.
CREATE VIEW message_outcomes_unique AS SELECT * FROM message_outcomes;

-- Messages, not events: a message opened twice counts once. Machines' opens and clicks don't count. The day is the
-- outcome's own, in UTC; what belongs to no campaign stands under NULL.
CREATE VIEW message_funnel AS
SELECT
    campaign_id,
    date(timestamp) AS day,
    count(DISTINCT message) FILTER (WHERE metric = 'sent')                    AS sent,
    count(DISTINCT message) FILTER (WHERE metric = 'delivered')               AS delivered,
    count(DISTINCT message) FILTER (WHERE metric = 'opened' AND by_human)     AS opened,
    count(DISTINCT message) FILTER (WHERE metric = 'clicked' AND by_human)    AS clicked,
    count(DISTINCT message) FILTER (WHERE metric = 'converted')               AS converted,
    count(DISTINCT message) FILTER (WHERE metric = 'bounced')                 AS bounced
FROM (
    SELECT
        *,
        coalesce(delivery_id, outcome_id) AS message,
        NOT (coalesce(machine, 0) OR coalesce(prefetched, 0) OR coalesce(proxied, 0) OR coalesce(synthetic, 0)) AS by_human
    FROM message_outcomes_unique
    WHERE metric IN ('sent', 'delivered', 'opened', 'clicked', 'converted', 'bounced')
)
GROUP BY campaign_id, day;
