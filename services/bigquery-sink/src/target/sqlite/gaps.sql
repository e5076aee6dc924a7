-- Records that could not be read any more when their turn came, and where reading went on. See on_gap in docs/settings.md.
CREATE TABLE sink_gaps (
    topic           TEXT NOT NULL,
    "partition"     INTEGER NOT NULL,
    kind            TEXT NOT NULL,     -- begins_later, topic_made_anew, another_cluster or ends_earlier
    from_offset     INTEGER NOT NULL,  -- the position that was stored
    from_cluster_id TEXT,
    from_topic_id   TEXT,
    to_offset       INTEGER NOT NULL,  -- where reading went on
    to_cluster_id   TEXT,
    to_topic_id     TEXT,
    recorded_at     TEXT NOT NULL
) STRICT;
