//! Rust as tokens: comments are gone, strings are single tokens, and what macros hold is seen too.

use crate::tree::Source;
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use std::str::FromStr as _;

/// The file's tokens. A file that isn't Rust has none: the compiler says so better.
pub(crate) fn tokens(file: &Source) -> TokenStream {
    TokenStream::from_str(&file.text).unwrap_or_default()
}

/// `name!(…)`, wherever it stands; of a path, the last part is the name.
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) arguments: Vec<TokenTree>,
}

/// `fn name`, with the attributes and doc comments directly before it.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) attributes: Vec<Vec<TokenTree>>,
}

/// Every macro call, at any depth.
pub(crate) fn calls(stream: TokenStream) -> Vec<Call> {
    let mut found = Vec::new();
    each_level(stream, &mut |level| {
        for window in level.windows(3) {
            if let [TokenTree::Ident(name), TokenTree::Punct(bang), TokenTree::Group(arguments)] = window
                && bang.as_char() == '!'
            {
                found.push(Call {
                    name: name.to_string(),
                    line: line(name),
                    arguments: arguments.stream().into_iter().collect(),
                });
            }
        }
    });
    found
}

/// Every identifier, at any depth, with its line.
pub(crate) fn identifiers(stream: TokenStream) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    each_level(stream, &mut |level| {
        for token in level {
            if let TokenTree::Ident(name) = token {
                found.push((name.to_string(), line(name)));
            }
        }
    });
    found
}

/// The content of every attribute, `#[…]` and `#![…]`, at any depth, with its line.
pub(crate) fn attributes(stream: TokenStream) -> Vec<(Vec<TokenTree>, usize)> {
    let mut found = Vec::new();
    each_level(stream, &mut |level| {
        for (index, token) in level.iter().enumerate() {
            let rest = level.get(index + 1..).unwrap_or_default();
            if is_punct(token, '#')
                && let [TokenTree::Group(group), ..] | [_, TokenTree::Group(group), ..] = rest
                && group.delimiter() == Delimiter::Bracket
            {
                found.push((contents(group), group.span().start().line));
            }
        }
    });
    found
}

/// Every function, at any depth, also inside macros such as `proptest!`.
pub(crate) fn functions(stream: TokenStream) -> Vec<Function> {
    let mut found = Vec::new();
    each_level(stream, &mut |level| {
        let mut attributes = Vec::new();
        let mut tokens = level.iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(mark) if matches!(mark.as_char(), '#' | '!') => {}
                TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                    attributes.push(contents(group));
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {} // pub(crate)
                TokenTree::Ident(word) if word == "fn" => {
                    if let Some(TokenTree::Ident(name)) = tokens.peek() {
                        let attributes = std::mem::take(&mut attributes);
                        found.push(Function { name: name.to_string(), attributes });
                    }
                }
                TokenTree::Ident(word)
                    if word == "pub" || word == "async" || word == "unsafe" || word == "const" => {}
                _ => attributes.clear(),
            }
        }
    });
    found
}

/// The value of a string literal, near enough for what is looked for here: escapes stay as they are written.
pub(crate) fn text(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    let written = literal.to_string();
    let inner = written.trim_start_matches('r').trim_matches('#');
    Some(inner.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

pub(crate) fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn each_level(stream: TokenStream, visit: &mut impl FnMut(&[TokenTree])) {
    let level: Vec<TokenTree> = stream.into_iter().collect();
    visit(&level);
    for token in level {
        if let TokenTree::Group(group) = token {
            each_level(group.stream(), visit);
        }
    }
}

fn contents(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn line(name: &Ident) -> usize {
    name.span().start().line
}
