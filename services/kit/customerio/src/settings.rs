use std::time::Duration;

use settings::{Fault, Reader, Secret, print_duration};

use crate::Region;

settings::declare! {
    /// How to reach the Track API of one workspace.
    #[derive(Debug, Clone)]
    pub struct Settings in "customerio", checked by relate {
        /// Site id of the workspace's Track API key: the user name of the basic authentication.
        pub site_id: Secret { env: "CUSTOMERIO_SITE_ID" },
        /// The workspace's Track API key: the password of the basic authentication.
        pub api_key: Secret { env: "CUSTOMERIO_API_KEY", aliases: &["CUSTOMERIO_TRACK_API_KEY"] },
        /// Region of the workspace: `us` or `eu`.
        pub region: Region = "us" { env: "CUSTOMERIO_REGION" },
        /// Origin of the Track API that replaces the region's, such as `http://127.0.0.1:8090`. For the
        /// simulator and for tests.
        pub url: Option<String>,
        /// Longest wait for a connection to the vendor.
        pub connect_timeout: Duration = "3s",
        /// Longest wait for the vendor's complete answer, the connection included.
        pub request_timeout: Duration = "10s" {
            most: "2m",
            mend: "lower it: a hung request holds its customers that long",
        },
    }
}

impl Settings {
    fn relate(&self, reader: &mut Reader) {
        reader.require(self.url.as_deref().is_none_or(is_origin), || {
            Fault::new(
                Self::url,
                "something else",
                "http:// or https:// and a host, without a path",
                "shorten it to its origin",
            )
        });
        reader.require(self.connect_timeout < self.request_timeout, || {
            let wanted = format!(
                "less than customerio.request_timeout ({}), which includes it",
                print_duration(self.request_timeout)
            );
            Fault::new(Self::connect_timeout, print_duration(self.connect_timeout), wanted, "lower it")
        });
    }
}

/// Whether `url` is a scheme and a host, with at most one slash after it.
fn is_origin(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.map(|host| host.strip_suffix('/').unwrap_or(host))
        .is_some_and(|host| !host.is_empty() && !host.contains('/'))
}
