//! One question to a health endpoint, for containers that have no `curl`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the whole question may take. Supervisors wait for about 5 s.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// How much of an answer's body is read.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Why a health check failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unhealthy {
    /// The URL can't be asked.
    #[error("{url:?} can't be asked: give it as http://host:port/path")]
    Url {
        /// The URL, as it was given.
        url: String,
    },
    /// There is no connection, or it broke off.
    #[error("{url} does not answer")]
    Silent {
        /// The URL.
        url: String,
        /// What the connection reported.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer took too long.
    #[error("{url} does not answer within {limit:?}")]
    Late {
        /// The URL.
        url: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The answer isn't 200. Its body names the cause.
    #[error("{url} answers {status}: {body}")]
    Refused {
        /// The URL.
        url: String,
        /// The status.
        status: u16,
        /// The body, or its first 64 KiB.
        body: String,
    },
}

/// The URL under which this machine reaches `path` of a server that listens at `listen`. An address that
/// means every interface becomes loopback.
pub fn local_url(listen: SocketAddr, path: &str) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}{path}", SocketAddr::new(ip, listen.port()))
}

/// Requests `url` and succeeds if the answer is 200. It ends within 3 s.
///
/// # Errors
/// [`Unhealthy`], with the cause that the server names.
pub async fn ask(url: &str) -> Result<(), Unhealthy> {
    ask_within(url, ANSWER_MAX).await
}

async fn ask_within(url: &str, limit: Duration) -> Result<(), Unhealthy> {
    let late = Unhealthy::Late { url: url.to_owned(), limit };
    timeout(limit, exchange(url)).await.unwrap_or(Err(late))
}

async fn exchange(url: &str) -> Result<(), Unhealthy> {
    let unusable = || Unhealthy::Url { url: url.to_owned() };
    let uri: Uri = url.parse().map_err(|_| unusable())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(unusable)?;
    // An IPv6 address stands in brackets in a URL, and without them in an address.
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80)))
        .await
        .map_err(|error| silent(url, error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| silent(url, error))?;
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, authority.as_str())
        .body(Empty::<Bytes>::new())
        .map_err(|_| unusable())?;
    let response = sender.send_request(request).await.map_err(|error| silent(url, error))?;
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
    let body = body.map_or_else(|error| error.to_string(), |body| text(&body.to_bytes()));
    Err(Unhealthy::Refused { url: url.to_owned(), status: status.as_u16(), body })
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim().to_owned()
}

fn silent(url: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unhealthy {
    Unhealthy::Silent { url: url.to_owned(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::{Duration, Unhealthy, ask, ask_within, local_url};

    /// A server that gives each connection `answer`, and its URL.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1_024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        local_url(address, "/readyz")
    }

    #[test]
    fn every_interface_is_asked_on_loopback() {
        let url = |listen: &str| local_url(listen.parse().unwrap(), "/livez");
        assert_eq!(url("0.0.0.0:9464"), "http://127.0.0.1:9464/livez");
        assert_eq!(url("[::]:9464"), "http://[::1]:9464/livez");
        assert_eq!(url("10.1.2.3:80"), "http://10.1.2.3:80/livez");
    }

    #[tokio::test]
    async fn only_200_is_healthy_and_another_answer_is_told_whole() {
        ask(&server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await).await.unwrap();
        let url = server("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\nno broker").await;
        let refused = ask(&url).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("{url} answers 503: no broker"));
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_late() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = local_url(listener.local_addr().unwrap(), "/");
        assert!(matches!(ask_within(&url, Duration::from_millis(20)).await, Err(Unhealthy::Late { .. })));
    }

    #[tokio::test]
    async fn nothing_that_listens_and_nothing_to_ask_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = local_url(listener.local_addr().unwrap(), "/");
        drop(listener);
        assert!(matches!(ask(&url).await, Err(Unhealthy::Silent { .. })));
        for url in ["", "gateway:8080", "https://gateway/healthz", "http://"] {
            assert!(matches!(ask(url).await, Err(Unhealthy::Url { .. })), "{url}");
        }
    }
}
