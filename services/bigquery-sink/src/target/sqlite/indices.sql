-- What queries and pruning look rows up by. Made in a file of any format, where they are missing.

CREATE INDEX IF NOT EXISTS message_outcomes_by_time ON message_outcomes (timestamp);
CREATE INDEX IF NOT EXISTS message_outcomes_by_customer ON message_outcomes (customer_id, timestamp);
CREATE INDEX IF NOT EXISTS message_outcomes_by_delivery ON message_outcomes (delivery_id);
