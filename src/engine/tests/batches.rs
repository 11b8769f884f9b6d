//! How many calls a resource with batches costs, when its steps become ready one by one.
use crate::{
    engine::{Estate, Stop, execute},
    model::{Answer, Deletion, Disruption, Expect, Mark, ObjectId, Plan, Step, StepId, Uid, Verb},
    plan::{Guards, Part, review},
    providers::Providers,
    resources::{AnyResource, Change, System, World},
};
use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The sizes of the calls for the resource that has batches.
type Calls = Mutex<Vec<usize>>;

/// One step a call, a second each.
struct Slow;
/// A thousand steps a call, ten milliseconds each.
struct Together;

macro_rules! resource {
    ($it:ident, $name:literal, $system:ident, $batch:literal, $took:expr) => {
        impl AnyResource<Calls> for $it {
            fn name(&self) -> &'static str {
                $name
            }
            fn system(&self) -> System {
                System::$system
            }
            fn batch(&self) -> usize {
                $batch
            }
            fn observe<'a>(&'a self, _: &'a Providers, _: &'a Calls) -> Boxed<'a, Box<dyn Any + Send + Sync>> {
                Box::pin(async { Box::new(()) as Box<dyn Any + Send + Sync> })
            }
            fn remember(&self, _: &mut World, _: Box<dyn Any + Send + Sync>) {}
            fn unseen(&self, _: &mut World, _: String) {}
            fn plan(&self, _: &Calls, _: &World, _: &mut World) -> Part<Change> {
                unreachable!("only the execution is looked at here")
            }
            fn run<'a>(
                &'a self,
                _: &'a Providers,
                calls: &'a Calls,
                steps: Vec<Step<Change>>,
            ) -> Boxed<'a, Vec<(StepId, Answer<()>)>> {
                Box::pin(async move {
                    if $batch > 1 {
                        calls.lock().unwrap().push(steps.len());
                    }
                    tokio::time::sleep($took).await;
                    steps.into_iter().map(|step| (step.id, Ok(()))).collect()
                })
            }
        }
    };
}
resource!(Slow, "slow", Proxmox, 1, Duration::from_secs(1));
resource!(Together, "together", Nftables, 1_000, Duration::from_millis(10));

const RESOURCES: &[&dyn AnyResource<Calls>] = &[&Slow, &Together];

fn step(resource: &'static str, n: u32, needs: Option<StepId>) -> Step<Change> {
    let mut bits = [0; 10];
    bits[6..].copy_from_slice(&n.to_be_bytes());
    Step {
        id: StepId { object: ObjectId { resource: resource.into(), key: n.to_string() }, nth: 0 },
        declared: None,
        verb: Verb::Create,
        disrupts: Disruption::Nothing,
        unsettles: false,
        fields: vec![],
        loses: vec![],
        mark: Mark {
            site: "test".into(),
            uid: Uid::from_bits(bits),
            serves: None,
            deletion: Deletion::Delete,
            declared: None,
        },
        expect: Expect::Absent,
        blocked: None,
        withheld: None,
        needs_consent: None,
        within: None,
        needs: needs.into_iter().collect::<BTreeSet<_>>(),
        change: Change { text: "make".into(), data: serde_json::Value::Null },
    }
}

/// `count` slow steps, and for each a step that needs it. How many of those went with each call.
async fn calls(count: u32) -> Vec<usize> {
    let slow: Vec<_> = (0..count).map(|n| step("slow", n, None)).collect();
    let after: Vec<_> = slow.iter().zip(0..).map(|(slow, n)| step("together", n, Some(slow.id.clone()))).collect();
    let plan = Plan { steps: slow.into_iter().chain(after).collect(), ..Plan::default() };
    let estate = Arc::new(Estate {
        declarations: Calls::default(),
        providers: Providers::default(),
        resources: RESOURCES,
        without: BTreeMap::new(),
    });
    let approved = review(plan, &Guards::default()).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let outcomes = execute(&estate, approved, &Stop::default(), &|_| ()).await;
    assert_eq!(outcomes.values().filter(|outcome| outcome.is_done()).count(), 2 * count as usize);
    estate.declarations.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_steps_that_become_ready_one_by_one_cost_few_calls() {
    let all = calls(1_000).await;
    assert_eq!(all.iter().sum::<usize>(), 1_000);
    assert!(all.len() < 40, "{} calls: {all:?}", all.len());
}

/// In a small site nothing waits for company.
#[tokio::test(start_paused = true)]
async fn a_handful_goes_at_once() {
    let all = calls(4).await;
    assert!(all.len() > 1 && all[0] == 1, "{all:?}");
}
