//! From a change to transactions.
use super::{
    Change, GatewayTable, Scope,
    observe::{as_declared, client, strays},
    stamp,
};
use crate::{
    model::{Answer, Class, Failure, Mark},
    providers::{
        Providers,
        nftables::{Element, Entry, GuestMark, Nftables, OwnerMark, Rules, Table, Transaction},
    },
    resources::Act,
};

pub async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, GatewayTable>) -> Answer<()> {
    let nftables = client(providers)?;
    match act.change {
        Change::Establish { rules } => establish(&nftables, &scope.site, act.mark, rules).await,
        Change::Remove => {
            let mut transaction = Transaction::new();
            transaction.drop_table();
            nftables.apply(&transaction).await.map_err(|refusal| refusal.failure)
        }
    }
}

fn invalid(why: String) -> Failure {
    Failure::new(Class::Invalid, "make the rules of table inet trueup", why)
}

/// Makes the rules, looks at how nft lists them, and notes that. Whoever is killed in between leaves a table without
/// that note, which the next pass takes for drift and makes again.
async fn establish(nftables: &Nftables, site: &str, mark: &Mark, rules: &Rules) -> Answer<()> {
    let there = nftables.list().await?;
    let notes = stamp::notes(mark, rules).map_err(invalid)?;
    let renew = renewal(there.as_ref(), site, rules, &notes).map_err(invalid)?;
    let renewed = match &renew {
        Some(transaction) => nftables.apply(transaction).await,
        None => Ok(()),
    };
    let clash = |class| class == Class::Conflict && there.is_some();
    match renewed {
        Ok(()) if renew.is_some() => {}
        Err(refusal) if !clash(refusal.failure.class) => return Err(refusal.failure),
        // What stands there cannot be changed into ours where it stands: a chain on another hook, a set of another type.
        _ => {
            let anew = rebuilt(there.as_ref(), site, rules, &notes).map_err(invalid)?;
            nftables.apply(&anew).await.map_err(|refusal| refusal.failure)?;
        }
    }
    let made = nftables.list().await?.ok_or_else(|| {
        Failure::new(Class::Conflict, "see the table inet trueup", "it was made, and somebody removed it at once")
    })?;
    let mut transaction = Transaction::new();
    transaction.create([&stamp::listed(&made.digest).map_err(invalid)?]).map_err(invalid)?;
    nftables.apply(&transaction).await.map_err(|refusal| refusal.failure)
}

/// New rules in the table as it is; `None` where there is something in it that can only go with the table.
fn renewal(there: Option<&Table>, site: &str, rules: &Rules, notes: &[Entry]) -> Result<Option<Transaction>, String> {
    let mut transaction = Transaction::new();
    transaction.establish(rules)?;
    if let Some(table) = there {
        let foreign_chain = |chain: &String| !rules_have_chain(transaction.text(), chain);
        if !table.unread.is_empty() || !as_declared(table) || table.chains.iter().any(foreign_chain) {
            return Ok(None);
        }
        transaction.delete(&strays(table, site));
    }
    transaction.flush_stamp().create(notes)?;
    Ok(Some(transaction))
}

fn rules_have_chain(text: &str, chain: &str) -> bool {
    let declared = format!("flush chain inet trueup {chain}");
    text.lines().any(|line| line == declared)
}

/// The table anew, with the elements of our owners and what their counters have counted.
fn rebuilt(there: Option<&Table>, site: &str, rules: &Rules, notes: &[Entry]) -> Result<Transaction, String> {
    let mut transaction = Transaction::new();
    transaction.rebuild(rules)?.create(notes)?;
    if let Some(table) = there {
        let of_site = |entry: &&Entry| {
            let Some(comment) = &entry.comment else { return false };
            match entry.element {
                Element::Stamp(_) => false,
                Element::Counter { .. } => GuestMark::read(comment).is_some_and(|mark| mark.site == site),
                _ => OwnerMark::read(comment).is_some_and(|owner| owner.mark.site == site),
            }
        };
        transaction.create(table.entries.iter().filter(of_site))?;
    }
    Ok(transaction)
}
