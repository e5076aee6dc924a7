//! A JSON body as the common writers would have written it: what a sender may have signed before the body was
//! parsed and written again.

/// The whitespace that a writer puts between tokens.
#[derive(Clone, Copy)]
enum Spacing {
    /// As in the body given.
    AsGiven,
    /// After each comma and colon so much: none (JavaScript, Go, PHP) or a blank (Python).
    After(&'static str),
    /// One member a line, indented by this.
    Lines(&'static str),
}

const SPACINGS: [Spacing; 6] = [
    Spacing::AsGiven,
    Spacing::After(""),
    Spacing::After(" "),
    Spacing::Lines("  "),
    Spacing::Lines("    "),
    Spacing::Lines("\t"),
];

/// What a writer escapes in a text besides quotes, backslashes and control characters.
#[derive(Clone, Copy)]
struct Escapes {
    /// These ASCII characters, as `\u0026`.
    ascii: &'static str,
    /// These ASCII characters, with a backslash before them.
    backslashed: &'static str,
    /// U+2028 and U+2029, which end a line in JavaScript.
    line_ends: bool,
    /// Every character beyond ASCII.
    beyond_ascii: bool,
    /// Upper-case hexadecimal digits.
    upper: bool,
}

const PLAIN: Escapes =
    Escapes { ascii: "", backslashed: "", line_ends: false, beyond_ascii: false, upper: false };

const ESCAPES: [Escapes; 9] = [
    // JavaScript, Ruby, Rust; PHP and Python where they are told to leave texts alone.
    PLAIN,
    // Python.
    Escapes { beyond_ascii: true, ..PLAIN },
    // Go; Rails.
    Escapes { ascii: "<>&", line_ends: true, ..PLAIN },
    // PHP, with and without JSON_UNESCAPED_UNICODE and JSON_UNESCAPED_SLASHES.
    Escapes { backslashed: "/", beyond_ascii: true, ..PLAIN },
    Escapes { backslashed: "/", line_ends: true, ..PLAIN },
    Escapes { line_ends: true, ..PLAIN },
    // Java's Gson.
    Escapes { ascii: "<>&='", line_ends: true, ..PLAIN },
    // .NET.
    Escapes { ascii: "<>&'+\"`", beyond_ascii: true, upper: true, ..PLAIN },
    // Java's Jackson where it is told to write ASCII.
    Escapes { beyond_ascii: true, upper: true, ..PLAIN },
];

/// One piece of a JSON text.
enum Token<'a> {
    /// A bracket, a comma or a colon.
    Sign(char),
    /// A text, as it is meant.
    Text(String),
    /// A number, a word, or a text that can't be meant (half a surrogate pair): as it was written.
    Other(&'a str),
    /// Whitespace.
    Space(&'a str),
}

/// Every form in which a common writer would have written `json`, in its order and sorted by name, with and
/// without a newline at the end. None where `json` isn't JSON.
pub(super) fn forms(json: &str) -> impl Iterator<Item = Vec<u8>> {
    let value = serde_json::from_str::<serde_json::Value>(json).ok();
    let sorted = value.map(|value| value.to_string());
    let sources = sorted.into_iter().flat_map(|sorted| [json.to_owned(), sorted]);
    sources.flat_map(|source| {
        let tokens = tokens(&source);
        let written = SPACINGS
            .into_iter()
            .flat_map(|spacing| ESCAPES.into_iter().map(move |escapes| (spacing, escapes)));
        let written = written.flat_map(|(spacing, escapes)| {
            let json = write(&tokens, spacing, escapes);
            let line = format!("{json}\n");
            [json.into_bytes(), line.into_bytes()]
        });
        written.collect::<Vec<_>>()
    })
}

/// The tokens of a text that is known to be JSON.
fn tokens(json: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => (Token::Sign(first), 1),
            '"' => text(rest),
            _ if first.is_ascii_whitespace() => {
                let length = rest.find(|c: char| !c.is_ascii_whitespace()).unwrap_or(rest.len());
                (Token::Space(&rest[..length]), length)
            }
            _ => {
                let ends = |c: char| c.is_ascii_whitespace() || "{}[],:\"".contains(c);
                let length = rest.find(ends).unwrap_or(rest.len());
                (Token::Other(&rest[..length]), length)
            }
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    tokens
}

fn text(rest: &str) -> (Token<'_>, usize) {
    let mut escaped = false;
    let end = rest.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let written = &rest[..end.map_or(rest.len(), |end| end + 2)];
    let meant = serde_json::from_str(written);
    (meant.map_or(Token::Other(written), Token::Text), written.len())
}

fn write(tokens: &[Token<'_>], spacing: Spacing, escapes: Escapes) -> String {
    let mut json = String::new();
    let mut depth: usize = 0;
    let mut opened = false;
    let given = matches!(spacing, Spacing::AsGiven);
    let line = |json: &mut String, depth: usize| {
        if let Spacing::Lines(indent) = spacing {
            json.push('\n');
            json.push_str(&indent.repeat(depth));
        }
    };
    for token in tokens {
        let closes = matches!(token, Token::Sign('}' | ']'));
        if matches!(token, Token::Space(_)) && !given {
            continue;
        }
        if opened && !closes {
            line(&mut json, depth);
        }
        opened = false;
        match token {
            Token::Space(space) => json.push_str(space),
            Token::Other(written) => json.push_str(written),
            Token::Text(text) => push_text(&mut json, text, escapes),
            Token::Sign(sign @ ('{' | '[')) => {
                json.push(*sign);
                depth += 1;
                opened = true;
            }
            Token::Sign(sign @ ('}' | ']')) => {
                depth = depth.saturating_sub(1);
                if !json.ends_with(['{', '[']) {
                    line(&mut json, depth);
                }
                json.push(*sign);
            }
            Token::Sign(sign) => {
                json.push(*sign);
                match spacing {
                    Spacing::After(space) => json.push_str(space),
                    Spacing::Lines(_) if *sign == ':' => json.push(' '),
                    Spacing::Lines(_) => line(&mut json, depth),
                    Spacing::AsGiven => {}
                }
            }
        }
    }
    json
}

fn push_text(json: &mut String, text: &str, escapes: Escapes) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' if !escapes.ascii.contains('"') => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\t' => json.push_str("\\t"),
            '\n' => json.push_str("\\n"),
            '\u{c}' => json.push_str("\\f"),
            '\r' => json.push_str("\\r"),
            _ if escapes.backslashed.contains(character) => {
                json.push('\\');
                json.push(character);
            }
            _ if is_escaped(character, escapes) => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    let escape =
                        if escapes.upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
                    json.push_str(&escape);
                }
            }
            _ => json.push(character),
        }
    }
    json.push('"');
}

fn is_escaped(character: char, escapes: Escapes) -> bool {
    let line_end = matches!(character, '\u{2028}' | '\u{2029}');
    character < ' '
        || escapes.ascii.contains(character)
        || (escapes.line_ends && line_end)
        || (escapes.beyond_ascii && (!character.is_ascii() || character == '\u{7f}' && escapes.upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEANT: &str =
        "{\"href\":\"https://x.io/a?b=1&c=<2>\",\"name\":\"Zoë 📧\u{2028}\",\"n\":[1.50,{},[]],\"a\":null}";

    /// What each writer makes of the same value.
    const WRITTEN: [(&str, &str); 5] = [
        (
            "Go",
            "{\"href\":\"https://x.io/a?b=1\\u0026c=\\u003c2\\u003e\",\"name\":\"Zoë 📧\\u2028\",\"n\":[1.50,{},[]],\"a\":null}",
        ),
        (
            "Python",
            "{\"href\": \"https://x.io/a?b=1&c=<2>\", \"name\": \"Zo\\u00eb \\ud83d\\udce7\\u2028\", \"n\": [1.50, {}, []], \"a\": null}",
        ),
        (
            "PHP",
            "{\"href\":\"https:\\/\\/x.io\\/a?b=1&c=<2>\",\"name\":\"Zo\\u00eb \\ud83d\\udce7\\u2028\",\"n\":[1.50,{},[]],\"a\":null}",
        ),
        (
            "JavaScript, indented",
            "{\n  \"href\": \"https://x.io/a?b=1&c=<2>\",\n  \"name\": \"Zoë 📧\u{2028}\",\n  \"n\": [\n    1.50,\n    {},\n    []\n  ],\n  \"a\": null\n}",
        ),
        ("JavaScript", MEANT),
    ];

    #[test]
    fn each_writer_s_form_is_found_from_every_other_s() {
        for (given_by, given) in WRITTEN {
            for (wanted_of, wanted) in WRITTEN {
                let found = forms(given).any(|form| form == wanted.as_bytes());
                assert!(found, "{wanted_of}'s form from {given_by}'s");
            }
        }
        let sorted = b"{\"a\":1,\"b\":\"\\u0026\"}\n";
        assert!(
            forms("{\"b\": \"&\", \"a\": 1}").any(|form| form == sorted),
            "Go's encoder, sorted, with a newline"
        );
        assert_eq!(forms("{\"a\":").count(), 0);
    }
}
