//! The two spellings of a connection string, a URL and `keyword=value` words, as pairs of keyword and value.
//!
//! The grammar is that of libpq ("Connection Strings" in its documentation). Errors never quote the text: any part of
//! a mistyped connection string may be a piece of a password.

use crate::error::{Error, ErrorKind, Result};

/// Keywords and values in their order; of two for one keyword the later holds.
pub(super) type Pairs = Vec<(String, String)>;

/// Reads a `postgres://` URL, words such as `host=db dbname=metrics`, or the bare name of a database.
pub(super) fn parse(text: &str) -> Result<Pairs> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        return parse_url(rest);
    }
    if text.contains("://") {
        return Err(fault("the target is a URL, but not one that starts with postgres://"));
    }
    if text.contains('=') {
        return parse_words(text);
    }
    if text.contains(['/', ':', '@', ' ']) {
        return Err(fault("the target is neither a URL, nor keyword=value words, nor the name of a database"));
    }
    Ok(vec![("dbname".to_owned(), text.to_owned())])
}

fn fault(message: &str) -> Error {
    Error::new(ErrorKind::Settings, message)
        .with_hint("--target postgres://USER@HOST:PORT/DATABASE, or --target 'host=HOST dbname=DATABASE'")
}

/// The part of a URL after its scheme: `user:password@host:port,host:port/dbname?keyword=value&…`.
fn parse_url(text: &str) -> Result<Pairs> {
    let mut pairs = Pairs::new();
    // The last `@` before the path ends the credentials: a host has none, and a password may be written with one.
    let path_at = text.find('/').unwrap_or(text.len());
    let host_at = match text[..path_at].rfind('@') {
        Some(at) => {
            push_credentials(&mut pairs, &text[..at])?;
            at + 1
        }
        None => 0,
    };
    let (place, query) = text[host_at..].split_once('?').unwrap_or((&text[host_at..], ""));
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    if database.contains('@') {
        return Err(fault(
            "the target URL has '@' after its first '/'; inside a password or a name, write '/' as %2F and '@' as %40",
        ));
    }
    push_hosts(&mut pairs, hosts)?;
    if !database.is_empty() {
        pairs.push(("dbname".to_owned(), decode(database)?));
    }
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        pairs.push(url_parameter(parameter)?);
    }
    Ok(pairs)
}

fn push_credentials(pairs: &mut Pairs, text: &str) -> Result<()> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    for (keyword, value) in [("user", user), ("password", password)] {
        if !value.is_empty() {
            pairs.push((keyword.to_owned(), decode(value)?));
        }
    }
    Ok(())
}

/// `a:1,b,[::1]:2` as a list of hosts and a list of ports, with an empty port where the default holds.
fn push_hosts(pairs: &mut Pairs, text: &str) -> Result<()> {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for item in text.split(',') {
        let (name, port) = split_port(item)?;
        hosts.push(decode(name)?);
        ports.push(decode(port)?);
    }
    for (keyword, list) in [("host", hosts), ("port", ports)] {
        if list.iter().any(|item| !item.is_empty()) {
            pairs.push((keyword.to_owned(), list.join(",")));
        }
    }
    Ok(())
}

fn split_port(item: &str) -> Result<(&str, &str)> {
    if let Some(rest) = item.strip_prefix('[') {
        let (host, tail) =
            rest.split_once(']').ok_or_else(|| fault("an IPv6 address in the target URL lacks its ']'"))?;
        let port = tail.strip_prefix(':').or_else(|| tail.is_empty().then_some(""));
        return Ok((host, port.ok_or_else(|| fault("only a port may follow ']' in the target URL"))?));
    }
    Ok(item.split_once(':').unwrap_or((item, "")))
}

fn url_parameter(text: &str) -> Result<(String, String)> {
    let (keyword, value) = text.split_once('=').ok_or_else(|| fault("a parameter of the target URL has no '='"))?;
    let (keyword, value) = (decode(keyword)?, decode(value)?);
    // The spelling of JDBC, which libpq takes too.
    if keyword == "ssl" && value == "true" {
        return Ok(("sslmode".to_owned(), "require".to_owned()));
    }
    Ok((keyword, value))
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let value = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        match value {
            Some(0) | None => {
                return Err(fault(
                    "a '%' in the target URL is not followed by two hexadecimal digits; write '%' as %25",
                ));
            }
            Some(value) => bytes.push(value),
        }
    }
    String::from_utf8(bytes).map_err(|_| fault("the target URL decodes to bytes that are not UTF-8"))
}

/// `host=db user = 'it''s' password=a\ b`: words with optional blanks around `=`, quotes and backslashes.
fn parse_words(text: &str) -> Result<Pairs> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let keyword = &rest[..end];
        let tail = rest[end..].trim_start().strip_prefix('=');
        let tail =
            tail.ok_or_else(|| fault("a keyword of the target has no '=' after it; quote values with blanks: 'a b'"))?;
        let (value, tail) = word_value(tail.trim_start())?;
        pairs.push((keyword.to_owned(), value));
        rest = tail.trim_start();
    }
    Ok(pairs)
}

/// The value at the start of `text`, and what follows it.
fn word_value(text: &str) -> Result<(String, &str)> {
    let (quoted, body) = text.strip_prefix('\'').map_or((false, text), |body| (true, body));
    let mut value = String::new();
    let mut letters = body.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &body[at + 1..])),
            blank if !quoted && blank.is_whitespace() => return Ok((value, &body[at..])),
            other => value.push(other),
        }
    }
    if quoted { Err(fault("a quote in the target is not closed")) } else { Ok((value, "")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<String> {
        parse(text).unwrap().into_iter().map(|(keyword, value)| format!("{keyword}={value}")).collect()
    }

    #[test]
    fn a_url_gives_its_parts() {
        let url = "postgresql://al%20ice:p%40ss@db.example.org:6432/metrics?sslmode=require&application_name=my%20app";
        let expected = [
            "user=al ice",
            "password=p@ss",
            "host=db.example.org",
            "port=6432",
            "dbname=metrics",
            "sslmode=require",
            "application_name=my app",
        ];
        assert_eq!(pairs(url), expected);
    }

    #[test]
    fn a_url_may_leave_everything_out() {
        assert_eq!(pairs("postgres://"), [""; 0]);
        assert_eq!(pairs("postgres:///metrics"), ["dbname=metrics"]);
        assert_eq!(
            pairs("postgres://postgres@/postgres?host=/tmp/x&port=5433"),
            ["user=postgres", "dbname=postgres", "host=/tmp/x", "port=5433"]
        );
        assert_eq!(pairs("postgres://%2Frun%2Fpostgresql/metrics"), ["host=/run/postgresql", "dbname=metrics"]);
        assert_eq!(pairs("postgres://h?ssl=true"), ["host=h", "sslmode=require"]);
    }

    #[test]
    fn several_hosts_keep_their_ports() {
        assert_eq!(pairs("postgres://a:1,b,[::1]:2/d"), ["host=a,b,::1", "port=1,,2", "dbname=d"]);
        assert_eq!(pairs("postgres://a,b"), ["host=a,b"]);
    }

    #[test]
    fn a_password_with_an_at_sign_does_not_reach_the_host() {
        assert_eq!(pairs("postgres://u:p@ss@h/d"), ["user=u", "password=p@ss", "host=h", "dbname=d"]);
    }

    #[test]
    fn words_take_blanks_quotes_and_backslashes() {
        assert_eq!(
            pairs(r"host=db user = 'o\'neil x'  password=a\ b dbname=''"),
            ["host=db", "user=o'neil x", "password=a b", "dbname="]
        );
        assert_eq!(pairs("metrics"), ["dbname=metrics"]);
    }

    #[test]
    fn a_wrong_target_is_refused_without_being_quoted() {
        let wrong = [
            "postgress://u:sesame@h/d",
            "postgres://u:ses/sesame@h/d",
            "postgres://u:sesame%zz@h",
            "postgres://u:sesame%00@h",
            "postgres://[::1/sesame",
            "postgres://[::1]sesame/",
            "postgres://h/d?sesame",
            "host=h password=my sesame",
            "host=h password='sesame",
            "u:sesame@h/d",
        ];
        for text in wrong {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Settings, "{text}");
            assert!(!format!("{error} {error:?}").contains("sesame"), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_percent_encoded_comes_back(user in "[^\0]{1,12}", password in "[^\0]{1,12}") {
            let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
            let parsed = parse(&format!("postgres://{}:{}@h", encode(&user), encode(&password))).unwrap();
            proptest::prop_assert_eq!(&parsed[0].1, &user);
            proptest::prop_assert_eq!(&parsed[1].1, &password);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(postgres://)?[a:/@?&%='\\\\ \\[\\]é,]{0,24}") {
            let _ = parse(&text);
        }
    }
}
