use settings::Faults;

use super::*;

fn read(env: &[(&str, &str)]) -> Result<Settings, Faults> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut reader = Reader::new(Settings::FIELDS, None, env);
    let settings = Settings::read(&mut reader);
    reader.finish().map(|()| settings.expect("without a fault there are settings"))
}

const KEY: (&str, &str) = ("CUSTOMERIO_WEBHOOK_SIGNING_KEY", "one, two");

#[test]
fn a_signing_key_is_all_it_needs() {
    let settings = read(&[KEY]).expect("defaults stand well to each other");
    let [source] = settings.sources.as_slice() else { panic!("one source") };
    assert_eq!((source.name.as_str(), source.keys.len()), (DEFAULT_SOURCE, 2));
    for alias in ["CUSTOMERIO_WEBHOOK_SECRET", "WEBHOOK_SECRET"] {
        assert!(read(&[(alias, "one")]).is_ok());
    }
    assert!(read(&[]).expect_err("no key").to_string().contains("CUSTOMERIO_WEBHOOK_SIGNING_KEY"));
}

#[test]
fn a_source_may_have_keys_of_its_own() {
    let settings = read(&[KEY, ("AFTERSEND_GATEWAY_SOURCE_KEYS", "emea=a,emea=b,us=c=,reporting=d")]);
    let sources = settings.expect("in order").sources;
    let told = sources.iter().map(|source| (source.name.as_str(), source.keys.len())).collect::<Vec<_>>();
    assert_eq!(told, [("reporting", 3), ("emea", 2), ("us", 1)]);
    for entry in ["s3cret", "emea=", "=s3cret", "EMEA=s3cret", "a/b=s3cret"] {
        let fault = read(&[KEY, ("AFTERSEND_GATEWAY_SOURCE_KEYS", entry)]).expect_err("misshapen");
        assert!(!fault.to_string().contains("s3cret"), "{fault}");
    }
}

/// G2, G7: what stands badly to another setting is refused at boot, by name.
#[test]
fn each_relation_is_checked() {
    for (env, value, named) in [
        ("AFTERSEND_GATEWAY_MESSAGE_TIMEOUT", "1601ms", "gateway.message_timeout"),
        ("AFTERSEND_GATEWAY_ACK_DEADLINE", "2900ms", "gateway.ack_deadline"),
        ("AFTERSEND_GATEWAY_REQUEST_TIMEOUT", "4s", "gateway.request_timeout"),
        ("AFTERSEND_GATEWAY_STALE_AFTER", "7d", "gateway.stale_after"),
        ("AFTERSEND_GATEWAY_PARTITION_CHECK_INTERVAL", "0s", "gateway.partition_check_interval"),
        ("AFTERSEND_GATEWAY_MESSAGE_MAX", "5MiB", "gateway.message_max"),
        ("AFTERSEND_GATEWAY_MESSAGE_MAX", "64KiB", "gateway.message_max"),
        ("AFTERSEND_GATEWAY_BODY_LIMIT", "1MiB", "gateway.body_limit"),
        ("AFTERSEND_GATEWAY_BODY_LIMIT", "65MiB", "gateway.bytes_in_flight_max"),
        ("AFTERSEND_GATEWAY_QUEUE_BYTES", "32MiB", "gateway.queue_bytes"),
        ("AFTERSEND_GATEWAY_QUEUE_RECORDS", "9999", "gateway.queue_records"),
        ("AFTERSEND_GATEWAY_CONNECTIONS_MAX", "0", "gateway.connections_max"),
    ] {
        let faults = read(&[KEY, (env, value)]).expect_err("badly related").to_string();
        assert!(faults.contains(named), "{env}={value}: {faults}");
    }
}
