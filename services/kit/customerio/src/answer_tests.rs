use proptest::prelude::*;

use super::*;

fn of(status: u16, body: &str) -> Answer {
    classify(status, None, body.as_bytes(), 3)
}

#[test]
fn a_207_names_its_refusals_by_index() {
    let body = r#"{"errors":[{"batch_index":2,"reason":"invalid","field":"attributes.plan","message":"too long"},
        {"batch_index":0,"reason":"required","field":"identifiers"},{"batch_index":2,"reason":"again","field":""}]}"#;
    let Answer::Partly(refusals) = of(207, body) else { panic!("named in full") };
    assert_eq!(refusals.iter().map(|refusal| refusal.index).collect::<Vec<_>>(), [0, 2]);
    assert_eq!((refusals[1].reason.as_str(), refusals[1].field.as_str()), ("invalid", "attributes.plan"));
}

/// A 207 that doesn't say which must not pass for success: that is how other clients lose writes.
#[test]
fn a_207_that_does_not_say_which_is_taken_apart() {
    for body in [
        "",
        "{}",
        "not json",
        r#"{"errors":[]}"#,
        r#"{"errors":[{"reason":"x"}]}"#,
        r#"{"errors":[{"batch_index":3}]}"#,
    ] {
        assert!(matches!(of(207, body), Answer::Refused(_)), "{body}");
    }
}

/// S4: what a changed setting would mend stops the sink; only what names an operation refuses it.
#[test]
fn each_status_means_one_thing() {
    assert_eq!(of(200, "{}\n"), Answer::Done);
    assert_eq!(of(204, ""), Answer::Done);
    assert!(
        matches!(of(400, r#"{"errors":[{"reason":"required","field":"identifiers"}]}"#), Answer::Refused(r) if r.reason == "required")
    );
    assert!(matches!(of(422, "<html>"), Answer::Refused(r) if r.reason == "unexplained"));
    assert_eq!(of(413, ""), Answer::TooLarge);
    for status in [301, 302, 307, 308, 401, 402, 403, 404, 405, 410, 418, 451] {
        assert_eq!(of(status, "{}"), Answer::Stop, "{status}");
    }
    for status in [408, 425, 429, 500, 502, 503, 504, 529] {
        assert_eq!(of(status, "{}"), Answer::Retry { after: None }, "{status}");
    }
}

#[test]
fn retry_after_is_believed_within_reason() {
    let after = |text| classify(429, Some(text), b"", 1);
    assert_eq!(after("7"), Answer::Retry { after: Some(Duration::from_secs(7)) });
    assert_eq!(after("86400"), Answer::Retry { after: Some(RETRY_AFTER_MAX) });
    assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), Answer::Retry { after: None });
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic_or_point_outside_the_request(status in 100_u16..700, body: Vec<u8>, count in 1_usize..9) {
        if let Answer::Partly(refusals) = classify(status, None, &body, count) {
            prop_assert!(refusals.iter().all(|refusal| refusal.index < count));
        }
    }

    #[test]
    fn long_words_of_the_vendor_are_cut_at_a_character(reason in "\\PC{0,400}") {
        let body = serde_json::json!({"errors": [{"reason": reason}]}).to_string();
        let Answer::Refused(refusal) = classify(400, None, body.as_bytes(), 1) else { panic!("refused") };
        prop_assert!(refusal.reason.len() <= TEXT_BYTES_MAX && reason.starts_with(&refusal.reason));
    }
}
