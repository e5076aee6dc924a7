use crate::kafka::wire::Fields;
use std::fmt;

/// A kind of request, by Kafka's number: <https://kafka.apache.org/protocol.html#protocol_api_keys>.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Api(pub i16);

macro_rules! apis {
    ($($(#[$meaning:meta])* $name:ident = $key:literal,)*) => {
        impl Api {
            $($(#[$meaning])* pub const $name: Api = Api($key);)*

            fn name(self) -> Option<&'static str> {
                match self {
                    $(Api::$name => Some(stringify!($name)),)*
                    Api(_) => None,
                }
            }
        }
    };
}

apis! {
    /// Writes records.
    PRODUCE = 0,
    /// Reads records.
    FETCH = 1,
    /// Asks for the ends of a log.
    LIST_OFFSETS = 2,
    /// Asks which broker answers for a group or a transactional id.
    FIND_COORDINATOR = 10,
    /// Asks for a group's committed offsets.
    OFFSET_FETCH = 9,
    /// Joins a group, or a group's next generation.
    JOIN_GROUP = 11,
    /// Says that a member lives.
    HEARTBEAT = 12,
    /// Asks for a producer id and epoch, and ends what the transactional id left open.
    INIT_PRODUCER_ID = 22,
    /// Adds a partition to the open transaction.
    ADD_PARTITIONS_TO_TXN = 24,
    /// Adds a group's offsets to the open transaction.
    ADD_OFFSETS_TO_TXN = 25,
    /// Commits or aborts.
    END_TXN = 26,
    /// Writes the offsets that the open transaction commits.
    TXN_OFFSET_COMMIT = 28,
}

impl Api {
    /// The first version whose strings are compact, for those that open with a transactional id.
    fn flexible_from(self) -> Option<i16> {
        match self {
            Api::PRODUCE => Some(9),
            Api::INIT_PRODUCER_ID => Some(2),
            Api::ADD_PARTITIONS_TO_TXN | Api::ADD_OFFSETS_TO_TXN | Api::END_TXN | Api::TXN_OFFSET_COMMIT => {
                Some(3)
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "API_{}", self.0),
        }
    }
}

/// What a rule can know of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which broker it was sent to: the index of its link and node.
    pub node: usize,
    /// What it asks for.
    pub api: Api,
    /// In which version.
    pub version: i16,
    /// The client's name, `client.id`.
    pub client_id: Option<String>,
    /// For requests of a transaction: whose.
    pub transactional_id: Option<String>,
    /// For [`Api::END_TXN`]: whether it asks for a commit.
    pub commits: Option<bool>,
    /// Ties the answer to it.
    pub(super) correlation: i32,
}

impl Request {
    /// Reads the head of a frame that was sent to `node`.
    pub(super) fn of_frame(node: usize, frame: &[u8]) -> Option<Request> {
        let mut fields = Fields::of_frame(frame);
        let api = Api(fields.int16()?);
        let version = fields.int16()?;
        let correlation = fields.int32()?;
        let client_id = fields.string()?;
        let mut request =
            Request { node, api, version, client_id, transactional_id: None, commits: None, correlation };
        // From version 4 on, one request speaks for several transactions; only brokers send that.
        let for_several = api == Api::ADD_PARTITIONS_TO_TXN && version > 3;
        if let Some(first) = api.flexible_from().filter(|_| !for_several) {
            request.transactional_id = if version >= first {
                fields.skip_tags()?;
                fields.compact_string()?
            } else {
                fields.string()?
            };
        }
        if api == Api::END_TXN {
            fields.take(8 + 2)?; // producer id, epoch
            request.commits = Some(fields.int8()? != 0);
        }
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of `api` in `version`, from client "c", correlation id 7.
    fn frame(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
        let mut payload = [api.to_be_bytes(), version.to_be_bytes()].concat();
        payload.extend(7_i32.to_be_bytes());
        payload.extend([0, 1, b'c']);
        payload.extend(body);
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [length.to_vec(), payload].concat()
    }

    #[test]
    fn an_end_of_a_transaction_tells_whose_and_how_in_old_and_new_versions() {
        let producer = [0; 10];
        for (version, id) in [(1, vec![0, 2, b't', b'x']), (3, vec![0, 3, b't', b'x'])] {
            for commits in [false, true] {
                let body = [id.as_slice(), &producer, &[u8::from(commits)]].concat();
                let request = Request::of_frame(2, &frame(26, version, &body)).unwrap();
                assert_eq!(request.api, Api::END_TXN);
                assert_eq!((request.node, request.correlation), (2, 7));
                assert_eq!(request.client_id.as_deref(), Some("c"));
                assert_eq!(request.transactional_id.as_deref(), Some("tx"));
                assert_eq!(request.commits, Some(commits));
            }
        }
    }

    #[test]
    fn records_outside_of_a_transaction_have_no_transactional_id() {
        assert_eq!(Request::of_frame(0, &frame(0, 7, &[0xff, 0xff])).unwrap().transactional_id, None);
        assert_eq!(Request::of_frame(0, &frame(0, 9, &[0, 0])).unwrap().transactional_id, None);
        assert_eq!(Request::of_frame(0, &frame(12, 0, &[])).unwrap().transactional_id, None);
    }

    #[test]
    fn a_frame_that_ends_in_its_head_is_none() {
        assert_eq!(Request::of_frame(0, &frame(26, 1, &[0, 2])), None);
        assert_eq!(Request::of_frame(0, &[0, 0, 0, 1, 0]), None);
    }

    #[test]
    fn a_kind_is_shown_by_its_name() {
        assert_eq!(format!("{:?} {:?}", Api::END_TXN, Api(99)), "END_TXN API_99");
    }
}
