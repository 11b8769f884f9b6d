//! SyncSchedule: a command or request on a calendar, inside a guest.
mod calendar;
mod on_calendar;
mod spec;
#[cfg(test)]
mod tests;
pub mod timer;
pub use calendar::Calendar;
pub use spec::{Environment, HttpTrigger, Method, Misfire, Overlap, Retries, SyncSchedule};
