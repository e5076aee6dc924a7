//! What each role may do on a cluster with ACLs.
//!
//! One table: `aftersend bootstrap --acls` prints it, docs/acls.md holds it, and a role checks at its start
//! the topics that stand in its rows. `tests/e2e` runs every role with exactly these rights.

use std::fmt::Write as _;

use processor::Application;
use schemas::topic::{Topic, Topics};

use super::meta;

/// Who is granted rights: one Kafka user for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Principal {
    Bootstrap,
    Gateway,
    Processor,
    SinkCustomerio,
    SinkBigquery,
}

/// What a right is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Topic(Topic),
    /// The group under which the meta topic is read. No member ever joins it.
    MetaGroup,
    /// The role's own consumer group.
    OwnGroup,
    /// Every transactional id that begins with the processor's group and a dash.
    TransactionalIds,
}

/// Rights on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grant {
    operations: &'static [&'static str],
    resource: Resource,
    why: &'static str,
}

/// The names to which the resources of one deployment resolve.
pub(crate) struct AclNames {
    prefix: String,
    application: Application,
    customerio_group: String,
    /// `None` where it follows from the warehouse's location, which only the sink's own machine knows whole.
    bigquery_group: Option<String>,
}

const READ: &[&str] = &["Read"];
const WRITE: &[&str] = &["Write"];
const DESCRIBE: &[&str] = &["Describe"];

impl Principal {
    /// Every principal, in the order in which they are needed.
    pub(crate) const ALL: [Self; 5] =
        [Self::Bootstrap, Self::Gateway, Self::Processor, Self::SinkCustomerio, Self::SinkBigquery];

    fn name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Gateway => "gateway",
            Self::Processor => "processor",
            Self::SinkCustomerio => "sink-customerio",
            Self::SinkBigquery => "sink-bigquery",
        }
    }

    /// The topics that stand in its rows, and so those that it needs at its start.
    pub(crate) fn topics(self) -> Vec<Topic> {
        let mut topics = Vec::new();
        for grant in self.grants() {
            if let Resource::Topic(topic) = grant.resource {
                topics.push(topic);
            }
        }
        topics
    }

    fn grants(self) -> Vec<Grant> {
        match self {
            Self::Bootstrap => bootstrap(),
            Self::Gateway => [gateway(), meta()].concat(),
            Self::Processor => [processor(), meta()].concat(),
            Self::SinkCustomerio => [sink(&[Topic::Trait, Topic::Suppression]), meta()].concat(),
            Self::SinkBigquery => [sink(&[Topic::Warehouse]), meta()].concat(),
        }
    }
}

const fn grant(operations: &'static [&'static str], resource: Resource, why: &'static str) -> Grant {
    Grant { operations, resource, why }
}

fn on(topics: &[Topic], operations: &'static [&'static str], why: &'static str) -> Vec<Grant> {
    topics.iter().map(|topic| grant(operations, Resource::Topic(*topic), why)).collect()
}

fn bootstrap() -> Vec<Grant> {
    const MAKE: &[&str] = &["Create", "Describe", "DescribeConfigs"];
    const MAKE_META: &[&str] = &["Create", "Describe", "DescribeConfigs", "Read", "Write"];
    let mut others = Topic::ALL.to_vec();
    others.retain(|topic| *topic != Topic::Meta);
    let mut grants = on(&others, MAKE, "creates it, or checks its settings");
    grants.extend(on(
        &[Topic::Meta],
        MAKE_META,
        "creates it, and writes with which settings the topics were made",
    ));
    grants.push(grant(DESCRIBE, Resource::MetaGroup, "reads the meta topic"));
    grants
}

/// What every role needs to check the topics at its start.
fn meta() -> Vec<Grant> {
    vec![
        grant(READ, Resource::Topic(Topic::Meta), "checks with which settings the topics were made"),
        grant(DESCRIBE, Resource::MetaGroup, "reads the meta topic"),
    ]
}

fn gateway() -> Vec<Grant> {
    const WRITE_CHECKED: &[&str] = &["Write", "DescribeConfigs"];
    [
        on(&[Topic::Raw], WRITE_CHECKED, "writes verified webhooks, and checks how large a record may be"),
        on(&[Topic::DeadLetter], WRITE_CHECKED, "writes dead letters, and checks how large a record may be"),
    ]
    .concat()
}

fn processor() -> Vec<Grant> {
    let outputs = [Topic::Warehouse, Topic::Trait, Topic::Suppression];
    [
        on(
            &[Topic::Raw],
            &["Read", "DescribeConfigs"],
            "its input, whose retention is checked against the window",
        ),
        on(&outputs, WRITE, "its outputs"),
        on(
            &[Topic::DeadLetter],
            &["Read", "Write"],
            "writes dead letters, and a record by which a broker tells its time, which is read back",
        ),
        on(
            &[Topic::State],
            &["Read", "Write", "DescribeConfigs"],
            "its changelog of customers, and how long it keeps tombstones",
        ),
        on(&[Topic::Dedupe], &["Read", "Write"], "its changelog of ids"),
        vec![
            grant(READ, Resource::OwnGroup, "joins the group and commits offsets; `reset processor` too"),
            grant(WRITE, Resource::TransactionalIds, "commits in transactions; `reset processor` too"),
        ],
    ]
    .concat()
}

fn sink(inputs: &[Topic]) -> Vec<Grant> {
    [
        on(inputs, READ, "its input"),
        on(&[Topic::DeadLetter], WRITE, "writes dead letters"),
        vec![grant(READ, Resource::OwnGroup, "joins the group and commits offsets")],
    ]
    .concat()
}

impl AclNames {
    /// Under `prefix`, with the sinks' groups as they are configured.
    pub(crate) fn new(
        prefix: &str,
        application: Application,
        customerio_group: &str,
        bigquery_group: Option<&str>,
    ) -> Self {
        Self {
            prefix: prefix.to_owned(),
            application,
            customerio_group: format!("{prefix}{customerio_group}"),
            bigquery_group: bigquery_group.map(|group| format!("{prefix}{group}")),
        }
    }

    /// The names of `topic` for `principal`. Only the processor knows another application than the default
    /// one, and `bootstrap` makes the topics of both.
    fn topics(&self, principal: Principal, topic: Topic) -> Vec<String> {
        let default = Topics::new(&self.prefix).name(topic).to_owned();
        let own = self.application.topics().name(topic).to_owned();
        match principal {
            Principal::Processor => vec![own],
            Principal::Bootstrap if own != default => vec![default, own],
            _ => vec![default],
        }
    }

    fn own_group(&self, principal: Principal) -> NamedResource {
        match (principal, &self.bigquery_group) {
            (Principal::SinkCustomerio, _) => NamedResource::group(self.customerio_group.clone()),
            (Principal::SinkBigquery, Some(group)) => NamedResource::group(group.clone()),
            (Principal::SinkBigquery, None) => {
                let name = format!("{}{}", self.prefix, bigquery_sink::target::DEFAULT_GROUP_PREFIX);
                NamedResource { is_prefix: true, ..NamedResource::group(name) }
            }
            _ => NamedResource::group(self.application.group().to_owned()),
        }
    }

    /// What `resource` is called in this deployment.
    fn resolve(&self, principal: Principal, resource: Resource) -> Vec<NamedResource> {
        match resource {
            Resource::Topic(topic) => {
                self.topics(principal, topic).into_iter().map(NamedResource::topic).collect()
            }
            Resource::MetaGroup => vec![NamedResource::group(meta::group(&self.prefix))],
            Resource::OwnGroup => vec![self.own_group(principal)],
            Resource::TransactionalIds => {
                let name = format!("{}-", self.application.group());
                vec![NamedResource { kind: "transactional-id", name, is_prefix: true }]
            }
        }
    }

    /// Every right of `principal`.
    fn rights(&self, principal: Principal) -> Vec<(Grant, NamedResource)> {
        let mut rights = Vec::new();
        for grant in principal.grants() {
            for named in self.resolve(principal, grant.resource) {
                rights.push((grant, named));
            }
        }
        rights
    }
}

/// A resource by its name.
struct NamedResource {
    /// The option of `kafka-acls.sh`, without its dashes.
    kind: &'static str,
    name: String,
    /// Whether every name is meant that begins with `name`.
    is_prefix: bool,
}

impl NamedResource {
    fn topic(name: String) -> Self {
        Self { kind: "topic", name, is_prefix: false }
    }

    fn group(name: String) -> Self {
        Self { kind: "group", name, is_prefix: false }
    }
}

/// Commands for `kafka-acls.sh` that grant every principal its rights, each to the user `aftersend-` and its
/// name.
pub(crate) fn commands(names: &AclNames) -> String {
    let mut text = String::new();
    for principal in Principal::ALL {
        let _ = writeln!(text, "# {}", principal.name());
        for (Grant { operations, .. }, NamedResource { kind, name, is_prefix }) in names.rights(principal) {
            let operations = operations.join(" --operation ");
            let pattern = if is_prefix { " --resource-pattern-type prefixed" } else { "" };
            let _ = writeln!(
                text,
                "kafka-acls.sh --bootstrap-server \"$AFTERSEND_KAFKA\" --add --allow-principal User:aftersend-{} --operation {operations} \
                 --{kind} {name}{pattern}",
                principal.name()
            );
        }
    }
    text
}

/// The table of docs/acls.md.
pub(crate) fn table(names: &AclNames) -> String {
    let mut text = "| role | resource | operations | why |\n|---|---|---|---|\n".to_owned();
    for principal in Principal::ALL {
        for (Grant { operations, why, .. }, NamedResource { kind, name, is_prefix }) in
            names.rights(principal)
        {
            let pattern = if is_prefix { "*" } else { "" };
            let operations = operations.join(", ");
            let _ =
                writeln!(text, "| {} | {kind} `{name}{pattern}` | {operations} | {why} |", principal.name());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: &str) -> AclNames {
        let application = Application::new(prefix, None);
        AclNames::new(prefix, application, "aftersend-customerio-sink", None)
    }

    #[test]
    fn the_page_on_acls_says_what_the_roles_need() {
        let page = include_str!("../../../../docs/acls.md");
        let table = table(&names(""));
        assert!(
            page.ends_with(&table),
            "put the table of `aftersend bootstrap --acls table` into docs/acls.md:\n{table}"
        );
    }

    /// Rights are often granted by prefix, so a name without it would have none.
    #[test]
    fn every_group_and_transactional_id_and_topic_has_the_prefix() {
        let names = names("acme.");
        for principal in Principal::ALL {
            for (_, NamedResource { kind, name, .. }) in names.rights(principal) {
                assert!(name.starts_with("acme."), "{kind} {name} of {}", principal.name());
            }
        }
    }
}
