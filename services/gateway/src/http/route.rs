//! Which source a request is for.

use hyper::Method;

use super::answer::Answer;
use crate::settings::Source;

const ALIASES: [&str; 2] = ["/webhooks/customerio", "/webhooks/cio"];
const BASE: &str = "/v1/webhooks/customerio/";
const KIND: &str = "reporting";
const HEALTH: &str = "/healthz";

/// Whether a load balancer asks for the gateway's health. Such a request is no webhook, and isn't counted.
pub(crate) fn is_health_check(method: &Method, path: &str) -> bool {
    path == HEALTH && (method == Method::GET || method == Method::HEAD)
}

/// The source that `path` names. The path without a source and the aliases name the default source, which is
/// the first of `sources`. A slash at the end is ignored: a 404 because of it would cost an hour (G3).
pub(crate) fn route<'a>(method: &Method, path: &str, sources: &'a [Source]) -> Result<&'a Source, Answer> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let source = match path.strip_prefix(BASE) {
        _ if ALIASES.contains(&path) => sources.first(),
        Some(KIND) => sources.first(),
        Some(rest) => match rest.split_once('/') {
            Some((name, KIND)) => sources.iter().find(|source| source.name == name),
            _ => None,
        },
        None => None,
    };
    let source = source.ok_or(Answer::NotFound)?;
    if method == Method::POST { Ok(source) } else { Err(Answer::MethodNotAllowed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(method: &Method, path: &str) -> Result<String, Answer> {
        let source = |name: &str| Source { name: name.to_owned(), keys: Vec::new() };
        route(method, path, &[source("reporting"), source("emea")]).map(|source| source.name.clone())
    }

    #[test]
    fn every_documented_path_finds_its_source() {
        for (path, source) in [
            ("/v1/webhooks/customerio/reporting", "reporting"),
            ("/v1/webhooks/customerio/reporting/", "reporting"),
            ("/v1/webhooks/customerio/reporting/reporting", "reporting"),
            ("/v1/webhooks/customerio/emea/reporting", "emea"),
            ("/webhooks/customerio", "reporting"),
            ("/webhooks/cio", "reporting"),
        ] {
            assert_eq!(routed(&Method::POST, path).as_deref(), Ok(source), "{path}");
            assert_eq!(routed(&Method::GET, path), Err(Answer::MethodNotAllowed), "{path}");
        }
    }

    #[test]
    fn a_health_check_is_only_read() {
        assert!(is_health_check(&Method::GET, "/healthz") && is_health_check(&Method::HEAD, "/healthz"));
        assert!(!is_health_check(&Method::POST, "/healthz") && !is_health_check(&Method::GET, "/healthz/x"));
        assert_eq!(routed(&Method::POST, "/healthz"), Err(Answer::NotFound));
    }

    #[test]
    fn everything_else_is_not_found() {
        for path in [
            "",
            "/",
            "/v1/webhooks/customerio",
            "/v1/webhooks/customerio/",
            "/v1/webhooks/customerio//reporting",
            "/v1/webhooks/customerio/apac/reporting",
            "/v1/webhooks/customerio/emea",
            "/webhooks/cio/emea",
            "/v1/webhooks/customerio/emea/reporting/x",
            "/V1/webhooks/customerio/reporting",
            "*",
        ] {
            assert_eq!(routed(&Method::POST, path), Err(Answer::NotFound), "{path}");
        }
    }
}
