//! What a provider has to say beside success: the warnings of a task that ended well. Whoever runs a step hears what was
//! said while it ran, and shows it with the step.
use std::{cell::RefCell, future::Future};

tokio::task_local! {
    static HEARD: RefCell<Vec<String>>;
}

/// Says it to whoever listens. Where nobody does, it is only logged.
pub fn remark(text: String) {
    tracing::info!(text, "remark");
    let _ = HEARD.try_with(|heard| heard.borrow_mut().push(text));
}

/// Does `work` and hears what is said meanwhile in the same task.
pub async fn hear<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    HEARD
        .scope(RefCell::default(), async {
            let done = work.await;
            (done, HEARD.with(RefCell::take))
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_hears_what_was_said_while_it_worked() {
        remark("to nobody".into());
        let (done, heard) = hear(async {
            remark("one".into());
            let (_, inner) = hear(async { remark("inner".into()) }).await;
            assert_eq!(inner, ["inner"]);
            tokio::task::yield_now().await;
            remark("two".into());
            7
        })
        .await;
        assert_eq!((done, heard), (7, vec!["one".into(), "two".into()]));
    }
}
