//! The words that travel: the values of the records' open text fields, as constants.
//!
//! The sets are open. A field stays a string, and a reader must accept a word that is not listed here. The
//! lists exist so that Aftersend itself spells each word in one place.

pub use crate::trait_table::name as trait_name;

/// Declares a module of words: a constant for each word, and `WORDS`, the list of them in this order.
macro_rules! words {
    ($(#[$about:meta])* $module:ident { $($(#[$meaning:meta])* $name:ident = $word:expr;)+ }) => {
        $(#[$about])*
        pub mod $module {
            $($(#[$meaning])* pub const $name: &str = $word;)+

            /// Every word of this module.
            pub const WORDS: &[&str] = &[$($name),+];
        }
    };
}

words! {
    /// Channels, as the vendor spells its object types: `MessageOutcome.channel`, `SuppressionEntry.channel`,
    /// `Address.channel`, `Command.channel`.
    channel {
        /// E-mail.
        EMAIL = "email";
        /// Text messages.
        SMS = "sms";
        /// Push notifications.
        PUSH = "push";
        /// Messages inside the workspace's own application.
        IN_APP = "in_app";
        /// WhatsApp.
        WHATSAPP = "whatsapp";
        /// Slack.
        SLACK = "slack";
        /// Webhooks that a campaign sends to other systems.
        WEBHOOK = "webhook";
        /// An event about a person, not about a message.
        CUSTOMER = "customer";
        /// The sender named no channel, and the event does not show which one it was.
        UNKNOWN = "unknown";
        /// Every channel: a suppression entry of a person.
        ALL_CHANNELS = "all";
    }
}

words! {
    /// What happened, as the vendor spells its metrics: `MessageOutcome.metric` and
    /// `CustomerTraits.last_email_metric`.
    metric {
        /// The message was created as a draft.
        DRAFTED = "drafted";
        /// The message could not be handed to the delivery provider. The vendor retries.
        ATTEMPTED = "attempted";
        /// The message was handed to the delivery provider.
        SENT = "sent";
        /// The provider delivered the message.
        DELIVERED = "delivered";
        /// The recipient opened the message.
        OPENED = "opened";
        /// The recipient clicked a link of the message.
        CLICKED = "clicked";
        /// The recipient reached the campaign's goal.
        CONVERTED = "converted";
        /// The recipient replied.
        REPLIED = "replied";
        /// The provider could not deliver the message for now, and tries again.
        DEFERRED = "deferred";
        /// The provider could not deliver the message.
        BOUNCED = "bounced";
        /// The provider refused the recipient, who is on its suppression list.
        DROPPED = "dropped";
        /// The message could not be handed to the delivery provider. The vendor has given up.
        FAILED = "failed";
        /// The vendor did not send the message, for example because a limit was reached.
        UNDELIVERABLE = "undeliverable";
        /// The recipient complained of spam.
        SPAMMED = "spammed";
        /// The person unsubscribed.
        UNSUBSCRIBED = "unsubscribed";
        /// The person subscribed.
        SUBSCRIBED = "subscribed";
        /// The person changed the preferences of a subscription.
        PREFERENCES_CHANGED = "cio_subscription_preferences_changed";
    }
}

words! {
    /// Which clock gave the time of an outcome: `MessageOutcome.time_source`.
    time_source {
        /// The event's own time.
        EVENT = "event";
        /// The time of receipt: the event's own time was missing or absurd.
        RECEIVED = "received";
    }
}

words! {
    /// What a raw record holds: `RawRecord.kind`.
    kind {
        /// An event of the vendor's reporting webhook.
        WEBHOOK = "webhook";
        /// A command of another team.
        COMMAND = "command";
        /// An entry of an imported list.
        IMPORT = "import";
    }
}

words! {
    /// How the sender of a raw record was verified: `RawRecord.verified_by`.
    scheme {
        /// The vendor's signature: HMAC-SHA256 over `v0:<timestamp>:<body>`.
        V0 = "v0";
    }
}

words! {
    /// The finer class of a bounce or of a suppression: `MessageOutcome.bounce_class` and
    /// `SuppressionEntry.class`.
    class {
        /// A bounce that another try will not mend.
        HARD = "hard";
        /// A complaint of spam.
        COMPLAINT = "complaint";
        /// An unsubscribe.
        UNSUBSCRIBE = "unsubscribe";
    }
}

words! {
    /// Whose fault a bounce is: `MessageOutcome.bounce_blame`.
    blame {
        /// The recipient's address.
        RECIPIENT = "recipient";
        /// The recipient's whole domain.
        DOMAIN = "domain";
        /// The network and the servers between the two.
        INFRASTRUCTURE = "infrastructure";
        /// The sender's reputation or set-up.
        SENDER = "sender";
        /// What the message says.
        CONTENT = "content";
    }
}

words! {
    /// How sure the classifier is: `MessageOutcome.bounce_confidence`.
    confidence {
        /// A status code alone, or words that mean several things.
        LOW = "low";
        /// Words that mean the class in nearly all replies.
        MEDIUM = "medium";
        /// Words that mean nothing else.
        HIGH = "high";
    }
}

words! {
    /// What a suppression entry holds for: `SuppressionEntry.scope`.
    scope {
        /// One address of the customer.
        ADDRESS = "address";
        /// One channel of the customer.
        CHANNEL = "channel";
        /// The customer.
        PERSON = "person";
    }
}

words! {
    /// Why a customer is suppressed: `SuppressionEntry.reason`.
    reason {
        /// A bounce.
        BOUNCE = "bounce";
        /// A complaint of spam.
        COMPLAINT = "complaint";
        /// An unsubscribe.
        UNSUBSCRIBE = "unsubscribe";
    }
}

words! {
    /// Where a suppression came from: `SuppressionEntry.origin`.
    origin {
        /// An outcome of a message.
        OUTCOME = "outcome";
        /// A command of another team.
        COMMAND = "command";
        /// An imported list.
        IMPORT = "import";
    }
}

words! {
    /// Whether a suppression entry still holds: `SuppressionEntry.state`.
    state {
        /// The entry holds.
        ACTIVE = "active";
        /// The entry was lifted.
        LIFTED = "lifted";
    }
}

words! {
    /// Why a suppression entry was lifted: `SuppressionEntry.lift_reason`. An outcome lifts by its metric.
    lift_reason {
        /// A later e-mail reached the address.
        DELIVERED = super::metric::DELIVERED;
        /// A human clicked a later e-mail.
        CLICKED = super::metric::CLICKED;
        /// The person subscribed again.
        SUBSCRIBED = super::metric::SUBSCRIBED;
    }
}

words! {
    /// The role that set a record aside: `DeadLetter.stage`.
    stage {
        /// The gateway.
        GATEWAY = "gateway";
        /// The processor.
        PROCESSOR = "processor";
        /// The sink that writes to Customer.io.
        CUSTOMERIO_SINK = "customerio-sink";
        /// The sink that writes to the warehouse.
        BIGQUERY_SINK = "bigquery-sink";
    }
}

words! {
    /// Why a record was set aside: `DeadLetter.reason`. A write that breaks a limit of the vendor's Track API
    /// has the limit's code instead, which `kit/customerio` gives.
    dead_letter_reason {
        /// A webhook's body is empty.
        EMPTY_BODY = "empty_body";
        /// A webhook's body is not UTF-8.
        NOT_UTF8 = "not_utf8";
        /// The event is not JSON.
        MALFORMED_JSON = "malformed_json";
        /// The event is JSON, but not an object.
        NOT_AN_OBJECT = "not_an_object";
        /// The event has no metric.
        NO_METRIC = "no_metric";
        /// The event was signed too long ago (G5).
        STALE = "stale";
        /// The topic can't hold the record.
        TOO_LARGE = "too_large";
        /// The broker refuses the record for good.
        REJECTED = "rejected";
        /// A raw record has no value.
        NO_VALUE = "no_value";
        /// A raw record has no key.
        NO_KEY = "no_key";
        /// A raw record has no usable dedupe id or event id.
        NO_ID = "no_id";
        /// A raw record is not in our encoding.
        MALFORMED_RECORD = "malformed_record";
        /// A raw record's key is not a customer key.
        FOREIGN_KEY = "foreign_key";
        /// A raw record is on a partition on which its key does not belong.
        WRONG_PARTITION = "wrong_partition";
        /// A raw record is of a kind that the processor does not take.
        UNSUPPORTED_KIND = "unsupported_kind";
        /// A raw record's id belongs to an event that says something else.
        ID_REUSED = "id_reused";
        /// The processor's own code fails on the record.
        POISON = "poison";
        /// A sink's input has no value.
        MISSING_VALUE = "missing_value";
        /// A sink's input is not in our encoding.
        NOT_FRAMED = "not_framed";
        /// A sink's input does not match its schema.
        MALFORMED = "malformed";
        /// An outcome has no event id.
        MISSING_EVENT_ID = "missing_event_id";
        /// An outcome's metadata is not a JSON object.
        MALFORMED_METADATA = "malformed_metadata";
        /// The warehouse will never take the row.
        REFUSED_BY_WAREHOUSE = "refused_by_warehouse";
        /// A record's key is not a customer key.
        NOT_A_CUSTOMER_KEY = "not_a_customer_key";
        /// A record's key and its customer id differ.
        KEY_MISMATCH = "key_mismatch";
        /// A record does not say as of when it holds.
        NO_AS_OF = "no_as_of";
        /// The vendor refused the write.
        VENDOR_REFUSED = "vendor_refused";
        /// The write is larger than the vendor takes.
        VENDOR_TOO_LARGE = "vendor_too_large";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::record::{DeadLetter, MessageOutcome, RawRecord, Record, Suppression};

    const LISTS: [&[&str]; 15] = [
        channel::WORDS,
        metric::WORDS,
        time_source::WORDS,
        kind::WORDS,
        scheme::WORDS,
        class::WORDS,
        blame::WORDS,
        confidence::WORDS,
        scope::WORDS,
        reason::WORDS,
        origin::WORDS,
        state::WORDS,
        lift_reason::WORDS,
        stage::WORDS,
        dead_letter_reason::WORDS,
    ];

    #[test]
    fn words_are_lower_case_and_each_is_listed_once() {
        for words in LISTS {
            let spelled = |word: &&str| {
                word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
            };
            assert!(words.iter().all(spelled), "{words:?}");
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{words:?}");
        }
    }

    /// The schemas name words in their documentation, for other teams. Those must be the words that are
    /// written.
    #[test]
    fn every_word_that_a_schema_names_is_listed() {
        for (schema, field, words) in [
            (RawRecord::SCHEMA, "kind", kind::WORDS),
            (MessageOutcome::SCHEMA, "channel", channel::WORDS),
            (MessageOutcome::SCHEMA, "metric", metric::WORDS),
            (MessageOutcome::SCHEMA, "bounce_blame", blame::WORDS),
            (Suppression::SCHEMA, "scope", scope::WORDS),
            (Suppression::SCHEMA, "reason", reason::WORDS),
            (Suppression::SCHEMA, "origin", origin::WORDS),
            (Suppression::SCHEMA, "state", state::WORDS),
            (DeadLetter::SCHEMA, "stage", stage::WORDS),
        ] {
            let schema: Value = serde_json::from_str(schema).expect("the committed schemas are JSON");
            let doc = doc_of(&schema, field).expect("a documented field");
            let (_, named) = doc.rsplit_once(": ").unwrap_or(("", doc));
            let named = named.trim_end_matches('.').replace(" or ", ", ");
            for word in named.split(", ").filter(|word| *word != "another") {
                assert!(words.contains(&word), "{field}: {word}");
            }
        }
    }

    /// The documentation of the field `name`, at whatever depth of the schema it stands.
    fn doc_of<'a>(schema: &'a Value, name: &str) -> Option<&'a str> {
        match schema {
            Value::Object(node)
                if node.get("name").is_some_and(|it| it == name) && node.contains_key("doc") =>
            {
                node["doc"].as_str()
            }
            Value::Object(node) => node.values().find_map(|value| doc_of(value, name)),
            Value::Array(items) => items.iter().find_map(|value| doc_of(value, name)),
            _ => None,
        }
    }
}
