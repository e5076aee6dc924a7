//! The contract for other teams, `asyncapi.yaml`, says what the topics are in truth.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use apache_avro::Schema;
use schemas::topic::Topic;
use serde::Deserialize;

/// What other teams read, and the one topic that they write.
const PUBLISHED: [Topic; 4] = [Topic::Suppression, Topic::Trait, Topic::Warehouse, Topic::Command];

#[derive(Debug, Deserialize)]
struct Document {
    channels: BTreeMap<String, Channel>,
    components: Components,
}

#[derive(Debug, Deserialize)]
struct Channel {
    address: String,
    messages: BTreeMap<String, Reference>,
    bindings: Bindings,
}

#[derive(Debug, Deserialize)]
struct Reference {
    #[serde(rename = "$ref")]
    target: String,
}

#[derive(Debug, Deserialize)]
struct Bindings {
    kafka: Kafka,
}

#[derive(Debug, Deserialize)]
struct Kafka {
    #[serde(rename = "topicConfiguration")]
    topic_configuration: BTreeMap<String, Setting>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Setting {
    Number(u64),
    Texts(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Components {
    messages: BTreeMap<String, Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    name: String,
    payload: Payload,
}

#[derive(Debug, Deserialize)]
struct Payload {
    schema: Reference,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn document() -> Document {
    let text = fs::read_to_string(folder().join("asyncapi.yaml")).expect("asyncapi.yaml is there");
    serde_yaml_ng::from_str(&text).expect("asyncapi.yaml has the parts that this test reads")
}

#[test]
fn the_contract_names_the_published_topics_and_no_other() {
    let mut said: Vec<String> = document().channels.into_values().map(|channel| channel.address).collect();
    let mut meant = PUBLISHED.map(|topic| topic.base_name().to_owned());
    said.sort();
    meant.sort();
    assert_eq!(said, meant);
}

#[test]
fn the_contract_says_how_each_topic_is_configured() {
    for channel in document().channels.into_values() {
        let topic = PUBLISHED.into_iter().find(|topic| topic.base_name() == channel.address);
        let topic = topic.expect("the other test has compared the addresses");
        let settings = topic.settings(Duration::from_secs(30 * 86_400));
        let configured: BTreeMap<&str, &str> =
            settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        for (key, said) in channel.bindings.kafka.topic_configuration {
            let said = match said {
                Setting::Number(number) => number.to_string(),
                Setting::Texts(texts) => texts.join(","),
            };
            assert_eq!(configured.get(key.as_str()), Some(&said.as_str()), "{}: {key}", channel.address);
        }
    }
}

#[test]
fn the_contract_points_to_the_schema_of_each_message() {
    let document = document();
    for channel in document.channels.into_values() {
        for message in channel.messages.into_values() {
            let name = message.target.rsplit('/').next().expect("a text has a last part").to_owned();
            let message = &document.components.messages[&name];
            let text = fs::read_to_string(folder().join(&message.payload.schema.target))
                .expect("the schema's file is there");
            let schema = Schema::parse_str(&text).expect("the schema is Avro");
            let Schema::Record(record) = schema else { panic!("{name} is no record") };
            assert_eq!(record.name.name(), message.name, "{}", channel.address);
        }
    }
}
