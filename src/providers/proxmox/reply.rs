//! What an answer of the API means. The only place that matches its texts.
use crate::model::{Class, Failure};
use serde_json::Value;

/// An answer with a status of 400 or more.
#[derive(Clone, Debug)]
pub(super) struct Refusal<'a> {
    pub attempted: &'a str,
    pub write: bool,
    pub status: u16,
    /// The reason phrase; before libpve-http-server 5.2 the only place of the text.
    pub reason: Option<&'a str>,
    pub body: &'a [u8],
    pub retry_after: Option<std::time::Duration>,
}

impl Refusal<'_> {
    pub fn failure(&self) -> Failure {
        let text = self.text();
        let class = self.class(&text);
        let failure = Failure::new(class, self.attempted, &text);
        let failure = Failure { retry_after: self.retry_after, ..failure };
        match self.hint(&text) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// `message`, else the reason phrase, with what is said of single parameters.
    fn text(&self) -> String {
        let body: Value = serde_json::from_slice(self.body).unwrap_or(Value::Null);
        let message = body.get("message").and_then(Value::as_str).map(str::trim).filter(|m| !m.is_empty());
        let mut text = match (message, self.reason.map(str::trim).filter(|r| !r.is_empty())) {
            (Some(message), _) => message.to_owned(),
            (None, Some(reason)) => reason.to_owned(),
            (None, None) => format!("HTTP status {}", self.status),
        };
        if let Some(errors) = body.get("errors").and_then(Value::as_object) {
            let said: Vec<String> = errors
                .iter()
                .map(|(name, why)| format!("{name}: {}", super::values::text(why).unwrap_or_default().trim()))
                .collect();
            text = format!("{} {}", text, said.join("; "));
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn class(&self, text: &str) -> Class {
        let has = |needle: &str| text.contains(needle);
        match self.status {
            401 | 403 => Class::Denied,
            429 => Class::Throttled,
            // The proxy could not reach the daemon (or the other node): nothing was executed.
            595 => Class::Unreachable,
            // It gave up waiting for an answer: a write may still be executed when the daemon wakes up.
            596..=599 | 502 | 504 if self.write => Class::UnknownOutcome,
            596..=599 | 502..=504 => Class::Transient,
            _ if has("got timeout") || has("is locked (") => Class::Busy,
            _ if has("detected modified configuration") || has("checksum mismatch (file change") => Class::Conflict,
            _ if has("already exists") => Class::Conflict,
            _ if has("Configuration file '") && has("does not exist") => Class::NotFound,
            500 if has("short read on command socket") || has("is not online") => Class::Transient,
            500 if has("hostname lookup '") => Class::Invalid,
            500 if !self.write => Class::Transient,
            _ => Class::Invalid,
        }
    }

    fn hint(&self, text: &str) -> Option<String> {
        if self.status == 401 {
            return Some("check the token: user@realm!id=secret, not expired, user enabled".into());
        }
        if self.status == 403 {
            let inside = text.split_once("check failed (")?.1.trim_end_matches(')');
            return match inside.split_once(", ") {
                Some((path, privilege)) => Some(format!(
                    "give the token and its user a role with {privilege} on {path} (a token with privilege separation needs both)"
                )),
                None => Some("the token lacks a privilege for this call".into()),
            };
        }
        if text.contains("hostname lookup '") {
            return Some("is the node's name right?".into());
        }
        if text.contains("is locked (") {
            return Some("another task holds the guest; if it died, `pct unlock ID` on the node frees it".into());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(write: bool, status: u16, message: &str) -> Failure {
        let body = serde_json::json!({"data": null, "message": format!("{message}\n")}).to_string();
        let refusal =
            Refusal { attempted: "do it", write, status, reason: None, body: body.as_bytes(), retry_after: None };
        refusal.failure()
    }

    /// Status and text as recorded from a real Proxmox VE 9.2.11.
    #[test]
    fn recorded_refusals_have_their_class() {
        for (write, status, text, class) in [
            (false, 500, "Configuration file 'nodes/pve1/lxc/101.conf' does not exist", Class::NotFound),
            (true, 500, "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout", Class::Busy),
            (true, 500, "CT is locked (backup)", Class::Busy),
            (true, 500, "detected modified configuration - file changed by other user? Try again.", Class::Conflict),
            (true, 500, "checksum mismatch (file change by other user?)", Class::Conflict),
            (true, 500, "unable to create CT 101 - CT 101 already exists on node 'pve1'", Class::Conflict),
            (true, 500, "bridge 'vmbr9' does not exist", Class::Invalid),
            (true, 500, "unable to shrink disk size", Class::Invalid),
            (false, 403, "Permission check failed (/vms/101, VM.Audit)", Class::Denied),
            (true, 595, "", Class::Unreachable),
            (true, 596, "", Class::UnknownOutcome),
            (false, 596, "", Class::Transient),
        ] {
            assert_eq!(of(write, status, text).class, class, "{status} {text}");
        }
    }

    #[test]
    fn a_denial_names_the_privilege_and_the_path() {
        insta::assert_snapshot!(of(true, 403, "Permission check failed (/vms/101, VM.Config.Memory)"), @"could not do it: Permission check failed (/vms/101, VM.Config.Memory); give the token and its user a role with VM.Config.Memory on /vms/101 (a token with privilege separation needs both)");
    }

    #[test]
    fn parameter_errors_are_said_one_by_one() {
        let body = br#"{"errors":{"net0":"unable to hotplug net0: bridge 'vmbr9' does not exist\n"},"message":"Parameter verification failed.\n","data":null}"#;
        let refusal = Refusal { attempted: "do it", write: true, status: 400, reason: None, body, retry_after: None };
        insta::assert_snapshot!(refusal.failure(), @"could not do it: Parameter verification failed. net0: unable to hotplug net0: bridge 'vmbr9' does not exist");
    }

    #[test]
    fn without_a_message_the_reason_phrase_is_the_text() {
        let refusal = Refusal {
            attempted: "do it",
            write: true,
            status: 500,
            reason: Some("CT is locked (snapshot)"),
            body: br#"{"data":null}"#,
            retry_after: None,
        };
        assert_eq!(refusal.failure().class, Class::Busy);
        assert!(refusal.failure().reason.contains("locked (snapshot)"));
    }
}
