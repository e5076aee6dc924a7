use std::time::Duration;

use settings::{Fault, Field, Reader, Secret, print_duration};

use crate::Region;

const SITE_ID: Field =
    Field::new("customerio.site_id", "CUSTOMERIO_SITE_ID", "Site id of the workspace's Track API key.")
        .secret();
const API_KEY: Field =
    Field::new("customerio.api_key", "CUSTOMERIO_API_KEY", "The workspace's Track API key.")
        .aliases(&["CUSTOMERIO_TRACK_API_KEY"])
        .secret();
const REGION: Field =
    Field::new("customerio.region", "CUSTOMERIO_REGION", "Region of the workspace: us or eu.").default("us");
const URL: Field = Field::new(
    "customerio.url",
    "AFTERSEND_CUSTOMERIO_URL",
    "Origin of the Track API instead of the region's own, such as http://127.0.0.1:8090: for the simulator and for tests.",
);
const CONNECT_TIMEOUT: Field = Field::new(
    "customerio.connect_timeout",
    "AFTERSEND_CUSTOMERIO_CONNECT_TIMEOUT",
    "Longest wait for a connection to the vendor.",
)
.default("3s");
const REQUEST_TIMEOUT: Field = Field::new(
    "customerio.request_timeout",
    "AFTERSEND_CUSTOMERIO_REQUEST_TIMEOUT",
    "Longest wait for the vendor's whole answer, the connection included.",
)
.default("10s");

const REQUEST_TIMEOUT_MAX: Duration = Duration::from_secs(120);

/// Every setting of the vendor's API.
pub const FIELDS: &[&Field] = &[&SITE_ID, &API_KEY, &REGION, &URL, &CONNECT_TIMEOUT, &REQUEST_TIMEOUT];

/// How to reach the Track API of one workspace.
#[derive(Debug, Clone)]
pub struct Settings {
    /// User name of the basic authentication.
    pub site_id: Secret,
    /// Its password.
    pub api_key: Secret,
    /// Where the workspace lives.
    pub region: Region,
    /// An origin that takes the region's place.
    pub url: Option<String>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for a whole answer.
    pub request_timeout: Duration,
}

impl Settings {
    /// Reads them; `None` where the reader recorded a fault.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let site_id = reader.read(&SITE_ID);
        let api_key = reader.read(&API_KEY);
        let region = reader.read(&REGION);
        let url: Option<Option<String>> = reader.optional(&URL);
        let connect_timeout = reader.read(&CONNECT_TIMEOUT);
        let request_timeout = reader.read(&REQUEST_TIMEOUT);
        let settings = Self {
            site_id: site_id?,
            api_key: api_key?,
            region: region?,
            url: url?,
            connect_timeout: connect_timeout?,
            request_timeout: request_timeout?,
        };
        settings.relate(reader);
        Some(settings)
    }

    fn relate(&self, reader: &mut Reader) {
        let (connect, request) = (print_duration(self.connect_timeout), print_duration(self.request_timeout));
        reader.require(self.url.as_deref().is_none_or(is_origin), || {
            Fault::new(
                &URL,
                "something else",
                "http:// or https:// and a host, without a path",
                "shorten it to its origin",
            )
        });
        reader.require(self.connect_timeout < self.request_timeout, || {
            let wanted = format!("less than customerio.request_timeout ({request}), which includes it");
            Fault::new(&CONNECT_TIMEOUT, connect, wanted, "lower it")
        });
        reader.require(self.request_timeout <= REQUEST_TIMEOUT_MAX, || {
            let wanted = format!("at most {}", print_duration(REQUEST_TIMEOUT_MAX));
            Fault::new(
                &REQUEST_TIMEOUT,
                request.clone(),
                wanted,
                "lower it: a hung request holds its customers that long",
            )
        });
    }
}

/// Whether `url` is a scheme and a host, with at most one slash behind.
fn is_origin(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.map(|host| host.strip_suffix('/').unwrap_or(host))
        .is_some_and(|host| !host.is_empty() && !host.contains('/'))
}
