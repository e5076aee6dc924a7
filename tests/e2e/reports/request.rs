//! A case's requests, and what `verify-signature` says of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aftersend_tests::deployment::Deployment;
use aftersend_tests::process::Process;
use aftersend_tests::process::http;
use aftersend_tests::vendor::{ENDPOINT, SIGNING_KEY};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// A request's body and headers.
struct Signed {
    body: String,
    timestamp: String,
    signature: String,
}

/// Sends a case's requests in order; answers what was not answered as it must be.
pub(super) fn send_all(gateway: &Process, case: &Value) -> Vec<String> {
    let sends = case["send"].as_array().expect("requests are a list");
    let mut faults = Vec::new();
    for send in sends {
        let expected = send["status"].as_u64().unwrap_or(200);
        let status = match send["method"].as_str() {
            Some(method) => ask(gateway, method),
            None => post(gateway, send),
        };
        if u64::from(status) != expected {
            faults.push(format!("answered {status}, expected {expected}"));
        }
    }
    faults
}

fn post(gateway: &Process, send: &Value) -> u16 {
    let Signed { body, timestamp, signature } = signed(send);
    let (timestamp, signature) = (timestamp.as_str(), signature.as_str());
    let headers = match send["headers"].as_str() {
        Some("twice") => {
            vec![
                ("X-CIO-Timestamp", timestamp),
                ("X-CIO-Signature", signature),
                ("X-CIO-Signature", signature),
            ]
        }
        Some("x-signature") => vec![("X-Timestamp", timestamp), ("X-Signature", signature)],
        _ => vec![("X-CIO-Timestamp", timestamp), ("X-CIO-Signature", signature)],
    };
    http::post(gateway.listen, ENDPOINT, &headers, body.as_bytes()).expect("the gateway answers").status
}

fn ask(gateway: &Process, method: &str) -> u16 {
    let mut stream = TcpStream::connect(gateway.listen).expect("the gateway listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    let request = format!("{method} {ENDPOINT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request can be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer comes");
    answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status")
}

fn signed(send: &Value) -> Signed {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs();
    let body = dated(&send["body"], now_s);
    let at_s = now_s - send["age_s"].as_u64().unwrap_or(0);
    let timestamp = if send["unit"] == "ms" { (at_s * 1_000).to_string() } else { at_s.to_string() };
    let covered = send["signed"].as_str().unwrap_or(&body);
    let message = match send["form"].as_str() {
        Some("body") => covered.to_owned(),
        Some("dot") => format!("{timestamp}.{covered}"),
        _ => format!("v0:{timestamp}:{covered}"),
    };
    let key = send["key"].as_str().unwrap_or(SIGNING_KEY);
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes any key");
    mac.update(message.as_bytes());
    let signature = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Signed { body, timestamp, signature }
}

/// The body with its times: `{now}`, or so many seconds before.
fn dated(body: &Value, now_s: u64) -> String {
    let mut text = body.as_str().map_or_else(|| body.to_string(), ToOwned::to_owned);
    for before in 0..3 {
        let mark = if before == 0 { "{now}".to_owned() } else { format!("{{now-{before}}}") };
        let time = (now_s - before).to_string();
        text = text.replace(&format!("\"{mark}\""), &time).replace(&mark, &time);
    }
    text
}

/// What `verify-signature` fails to say of a case's requests.
pub(super) fn unexplained(deployment: &Deployment, case: &Value) -> Vec<String> {
    let Some(expected) = case["then"]["explained"].as_str() else { return Vec::new() };
    let mut faults = Vec::new();
    for send in case["send"].as_array().expect("requests are a list") {
        let Signed { body, timestamp, signature } = signed(send);
        let file = deployment.path("explained.json");
        std::fs::write(&file, body).expect("a file can be written");
        let file = file.display().to_string();
        let arguments =
            ["verify-signature", "--timestamp", &timestamp, "--signature", &signature, "--body", &file];
        let said = deployment.run(&arguments, &[]).stdout;
        if !said.contains(expected) {
            faults.push(format!("verify-signature doesn't say {expected:?} but {said:?}"));
        }
    }
    faults
}
