//! How the answers of APIs and of commands look when they are spoiled.
use crate::{providers::host::Output, sandbox::wire::Reply};
use bytes::Bytes;
use serde_json::{Value, json};

/// An answer that a fault can take the place of.
pub trait Spoilable: Clone + Send + 'static {
    /// For the log.
    fn status(&self) -> i32;
    /// An error of this status.
    fn failing(status: u16, message: &str) -> Self;
    /// These bytes.
    fn raw(status: u16, content_type: &str, body: String) -> Self;
    /// The same, with an empty list that claims to be whole.
    fn emptied(self) -> Self;
    /// The same without the second half of its list, which claims nothing new.
    fn truncated(self) -> Self;
}

impl Spoilable for Reply {
    fn status(&self) -> i32 {
        i32::from(self.status)
    }

    /// The reason phrase carries the text for Proxmox clients; the body is Cloudflare's envelope, whose `data` is also null.
    fn failing(status: u16, message: &str) -> Self {
        let errors = json!([{ "code": 10000, "message": message }]);
        let body = json!({ "success": false, "errors": errors, "messages": [], "result": null, "data": null });
        let reason = (!message.is_empty()).then(|| message.to_owned());
        Self { reason, ..Self::raw(status, "application/json", body.to_string()) }
    }

    fn raw(status: u16, content_type: &str, body: String) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: Bytes::from(body), ..Self::default() }
    }

    fn emptied(self) -> Self {
        shortened(
            self,
            |list| list.clear(),
            |page| {
                for key in ["count", "total_count", "total_pages"] {
                    if let Some(number) = page.get_mut(key) {
                        *number = json!(0);
                    }
                }
            },
        )
    }

    fn truncated(self) -> Self {
        shortened(self, |list| list.truncate(list.len() / 2), |_| {})
    }
}

fn shortened(mut reply: Reply, cut: impl Fn(&mut Vec<Value>), page: impl Fn(&mut Value)) -> Reply {
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else { return reply };
    if let Value::Array(list) = &mut body {
        cut(list);
    } else {
        for key in ["data", "result"] {
            if let Some(Value::Array(list)) = body.get_mut(key) {
                cut(list);
            }
        }
        if let Some(info) = body.get_mut("result_info") {
            page(info);
        }
    }
    reply.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    reply.body = Bytes::from(body.to_string());
    reply
}

impl Spoilable for Output {
    fn status(&self) -> i32 {
        self.status
    }

    fn failing(status: u16, message: &str) -> Self {
        Self { status: i32::from(status), stderr: Bytes::from(format!("{message}\n")), ..Self::default() }
    }

    fn raw(status: u16, _: &str, body: String) -> Self {
        Self { status: i32::from(status), stdout: Bytes::from(body), ..Self::default() }
    }

    fn emptied(self) -> Self {
        Self { stdout: Bytes::new(), ..self }
    }

    fn truncated(self) -> Self {
        let half = self.stdout.len() / 2;
        Self { stdout: self.stdout.slice(..half), ..self }
    }
}
