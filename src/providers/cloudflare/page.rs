//! Lists that come in pages, and whether they are whole.
use super::{Cloudflare, strange};
use crate::model::Answer;
use serde_json::Value;
use std::collections::BTreeSet;

/// How sure the end of a list is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Every page says how many there are in all.
    Told,
    /// Pages may not say it; a page that is not full is the last.
    MayBeMissing,
}

impl Cloudflare {
    /// All objects of a list, none twice. A list that changes while it is read is read again once.
    ///
    /// # Errors
    /// `Transient` when fewer objects came than the API says there are, or it does not say what it must.
    pub(super) async fn list(
        &self,
        attempted: &str,
        path: &str,
        query: &[(&str, String)],
        per_page: usize,
        count: Count,
    ) -> Answer<Vec<Value>> {
        match self.list_once(attempted, path, query, per_page, count).await {
            Err(Broken::Changed(_)) => self.list_once(attempted, path, query, per_page, count).await,
            first => first,
        }
        .map_err(|broken| match broken {
            Broken::Failed(failure) => *failure,
            Broken::Changed(why) => strange(attempted, why).hint("it may have changed meanwhile; the next look shows"),
        })
    }

    async fn list_once(
        &self,
        attempted: &str,
        path: &str,
        query: &[(&str, String)],
        per_page: usize,
        count: Count,
    ) -> Result<Vec<Value>, Broken> {
        let mut all: Vec<Value> = vec![];
        let mut ids: BTreeSet<String> = BTreeSet::new();
        let mut total: Option<u64> = None;
        for page in 1.. {
            let mut query = query.to_vec();
            query.push(("page", page.to_string()));
            query.push(("per_page", per_page.to_string()));
            let reply = self.wire.get(attempted, path, &query).await.map_err(|f| Broken::Failed(Box::new(f)))?;
            let Value::Array(objects) = reply.result else {
                return Err(Broken::Failed(Box::new(strange(attempted, "the reply holds no list"))));
            };
            let came = objects.len();
            for object in objects {
                if !ids.insert(object["id"].as_str().unwrap_or_default().to_owned()) {
                    return Err(Broken::Changed("an object came twice".into()));
                }
                all.push(object);
            }
            let said = reply.info["total_count"].as_u64();
            if said.is_none() && count == Count::Told {
                return Err(Broken::Failed(Box::new(strange(attempted, "the list does not say how many there are"))));
            }
            if total.is_some() && said != total {
                return Err(Broken::Changed("the number of objects changed between two pages".into()));
            }
            total = said;
            let reached = said.is_some_and(|said| all.len() as u64 >= said);
            if came < per_page || reached {
                break;
            }
        }
        match total {
            Some(total) if total != all.len() as u64 => {
                Err(Broken::Changed(format!("{} objects came, but there are {total}", all.len())))
            }
            _ => Ok(all),
        }
    }
}

enum Broken {
    Failed(Box<crate::model::Failure>),
    /// It does not fit together; another look may.
    Changed(String),
}
