//! Router rules: matchers joined by `&&`, `||`, `!` and parentheses.
use regex::Regex;
use std::net::IpAddr;

/// A parsed rule.
#[derive(Clone, Debug)]
pub enum Rule {
    Matcher { name: String, arguments: Vec<String> },
    Not(Box<Rule>),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
}

/// What of a connection or request a rule can look at.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// SNI, or the host of a request; lower case.
    pub host: &'a str,
    pub path: &'a str,
    pub from: IpAddr,
}

/// Which matchers a router may use.
pub const TCP: &[&str] = &["HostSNI", "HostSNIRegexp", "ClientIP", "ALPN"];
/// Those of HTTP routers; the ones about methods, headers and queries parse, and match nothing here.
pub const HTTP: &[&str] = &[
    "Host",
    "HostRegexp",
    "Path",
    "PathPrefix",
    "PathRegexp",
    "Method",
    "Header",
    "HeaderRegexp",
    "Query",
    "QueryRegexp",
    "ClientIP",
];

impl Rule {
    /// Reads a rule in which only `known` matchers may occur.
    ///
    /// # Errors
    /// What Traefik says after `invalid rule: "…" , `.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut parser = Parser { left: text.trim(), known };
        let rule = parser.any()?;
        if parser.left.is_empty() {
            Ok(rule)
        } else {
            Err(format!("error while parsing rule {text}: unexpected {:?}", parser.left))
        }
    }

    /// Whether it matches.
    pub fn matches(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Not(rule) => !rule.matches(seen),
            Self::And(a, b) => a.matches(seen) && b.matches(seen),
            Self::Or(a, b) => a.matches(seen) || b.matches(seen),
            Self::Matcher { name, arguments } => arguments.iter().any(|argument| matcher(name, argument, seen)),
        }
    }

    /// All arguments of one matcher, wherever it stands.
    pub fn arguments(&self, of: &str) -> Vec<&str> {
        match self {
            Self::Not(rule) => rule.arguments(of),
            Self::And(a, b) | Self::Or(a, b) => [a.arguments(of), b.arguments(of)].concat(),
            Self::Matcher { name, arguments } if name == of => arguments.iter().map(String::as_str).collect(),
            Self::Matcher { .. } => Vec::new(),
        }
    }
}

fn matcher(name: &str, argument: &str, seen: &Seen<'_>) -> bool {
    let regex = |text: &str| Regex::new(argument).is_ok_and(|r| r.is_match(text));
    match name {
        "HostSNI" | "Host" if argument == "*" => true,
        "HostSNI" | "Host" => {
            let argument = argument.to_ascii_lowercase();
            match argument.strip_prefix("*.") {
                // One label exactly.
                Some(parent) => {
                    seen.host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
                }
                None => seen.host == argument,
            }
        }
        "HostSNIRegexp" | "HostRegexp" => regex(seen.host),
        "Path" => seen.path == argument,
        "PathPrefix" => seen.path.starts_with(argument),
        "PathRegexp" => regex(seen.path),
        "ClientIP" => match argument.parse::<ipnet::IpNet>() {
            Ok(network) => network.contains(&seen.from),
            Err(_) => argument.parse::<IpAddr>().is_ok_and(|address| address == seen.from),
        },
        _ => false,
    }
}

struct Parser<'a> {
    left: &'a str,
    known: &'a [&'a str],
}

impl<'a> Parser<'a> {
    fn take(&mut self, token: &str) -> bool {
        match self.left.strip_prefix(token) {
            Some(rest) => {
                self.left = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> Result<Rule, String> {
        let mut rule = self.all()?;
        while self.take("||") {
            rule = Rule::Or(Box::new(rule), Box::new(self.all()?));
        }
        Ok(rule)
    }

    fn all(&mut self) -> Result<Rule, String> {
        let mut rule = self.one()?;
        while self.take("&&") {
            rule = Rule::And(Box::new(rule), Box::new(self.one()?));
        }
        Ok(rule)
    }

    fn one(&mut self) -> Result<Rule, String> {
        if self.take("!") {
            return Ok(Rule::Not(Box::new(self.one()?)));
        }
        if self.take("(") {
            let rule = self.any()?;
            return if self.take(")") { Ok(rule) } else { Err("expected ')'".to_owned()) };
        }
        let end = self.left.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.left.len());
        let name = self.word(end);
        let Some(name) = self.known.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
            return Err(format!("unsupported function: {name}"));
        };
        if !self.take("(") {
            return Err(format!("expected '(' after {name}"));
        }
        let mut arguments = Vec::new();
        loop {
            let quote = self.left.chars().next().filter(|c| matches!(c, '`' | '"'));
            let quoted = quote.and_then(|q| Some((q, self.left[1..].find(q)?)));
            let Some((_, length)) = quoted else { return Err(format!("{name}: a quoted argument is expected")) };
            arguments.push(self.left[1..=length].to_owned());
            self.left = self.left[length + 2..].trim_start();
            if !self.take(",") {
                break;
            }
        }
        if !self.take(")") {
            return Err(format!("expected ')' after the arguments of {name}"));
        }
        if arguments.len() != 1 && self.known == TCP && *name != "ALPN" {
            return Err(format!("unexpected number of parameters for {name}"));
        }
        Ok(Rule::Matcher { name: (*name).to_owned(), arguments })
    }

    fn word(&mut self, end: usize) -> &'a str {
        let (word, rest) = self.left.split_at(end);
        self.left = rest.trim_start();
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_match_names_and_addresses() {
        let seen = |host| Seen { host, path: "/a/b", from: "198.51.100.7".parse().unwrap() };
        for (rule, host, expected) in [
            ("HostSNI(`a.test`)", "a.test", true),
            ("HostSNI(`A.Test`) || HostSNI(`b.test`)", "a.test", true),
            ("HostSNI(`*.a.test`)", "x.a.test", true),
            ("HostSNI(`*.a.test`)", "y.x.a.test", false),
            ("HostSNI(`a.test`) && !ClientIP(`198.51.100.0/24`)", "a.test", false),
            ("HostSNIRegexp(`^[a-z]+\\.test$`) && (HostSNI(`*`))", "abc.test", true),
        ] {
            assert_eq!(Rule::parse(rule, TCP).unwrap().matches(&seen(host)), expected, "{rule} {host}");
        }
        assert!(Rule::parse("Host(`a`, `b`) && PathPrefix(`/a`)", HTTP).unwrap().matches(&seen("b")));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "HostSNI",
            "HostSNI(a.test)",
            "HostSNI(`a`",
            "Host(`a`)",
            "HostSNI(`a`) HostSNI(`b`)",
            "HostSNI(`a`,`b`)",
        ] {
            assert!(Rule::parse(text, TCP).is_err(), "{text}");
        }
    }
}
