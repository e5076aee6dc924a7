//! A node with an authorizer: users, and what they are allowed.

use std::io;
use std::net::SocketAddr;

use super::probe::call;
use crate::kafka::wire::Fields;

const CREATE_ACLS: i16 = 30;
const CREATE_ACLS_VERSION: i16 = 1;
const ALLOW: u8 = 3;

/// One right of one user, in the words of `kafka-acls.sh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// The user's name.
    pub user: String,
    /// What it is about.
    pub resource: AclResource,
    /// The resource's name, or what it begins with.
    pub name: String,
    /// Whether `name` is only the beginning of the names that are meant.
    pub is_prefix: bool,
    /// `Read`, `Write`, `Create`, `Delete`, `Describe` or `DescribeConfigs`.
    pub operation: String,
}

/// What a right is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclResource {
    /// A topic.
    Topic = 2,
    /// A consumer group.
    Group = 3,
    /// A transactional id.
    TransactionalId = 5,
}

impl Acl {
    fn operation(&self) -> Option<u8> {
        Some(match self.operation.as_str() {
            "Read" => 3,
            "Write" => 4,
            "Create" => 5,
            "Delete" => 6,
            "Describe" => 8,
            "DescribeConfigs" => 10,
            _ => return None,
        })
    }

    fn encode(&self, into: &mut Vec<u8>) -> io::Result<()> {
        let unknown = || io::Error::new(io::ErrorKind::InvalidInput, format!("operation {}", self.operation));
        let operation = self.operation().ok_or_else(unknown)?;
        let (literal, prefixed) = (3, 4);
        into.push(self.resource as u8);
        put_string(into, &self.name)?;
        into.push(if self.is_prefix { prefixed } else { literal });
        put_string(into, &format!("User:{}", self.user))?;
        put_string(into, "*")?;
        into.extend([operation, ALLOW]);
        Ok(())
    }
}

fn put_string(into: &mut Vec<u8>, text: &str) -> io::Result<()> {
    into.extend(i16::try_from(text.len()).map_err(io::Error::other)?.to_be_bytes());
    into.extend(text.as_bytes());
    Ok(())
}

/// Grants `acls` at the broker of `address`, which knows the caller as a super user.
pub(super) fn grant(address: SocketAddr, acls: &[Acl]) -> io::Result<()> {
    let mut body = i32::try_from(acls.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
    acls.iter().try_for_each(|acl| acl.encode(&mut body))?;
    let answer = call(address, CREATE_ACLS, CREATE_ACLS_VERSION, &body)?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not Kafka's");
    let errors = errors(&answer).ok_or_else(malformed)?;
    match errors.into_iter().find(|(code, _)| *code != 0) {
        None => Ok(()),
        Some((code, message)) => Err(io::Error::other(format!("kafka error {code}: {message}"))),
    }
}

fn errors(answer: &[u8]) -> Option<Vec<(i16, String)>> {
    let mut rest = Fields::of_frame(answer);
    rest.int32()?; // correlation id
    rest.int32()?; // throttle time
    rest.array(|result| Some((result.int16()?, result.string()?.unwrap_or_default())))
}
