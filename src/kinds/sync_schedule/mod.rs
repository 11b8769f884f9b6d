//! SyncSchedule: a command or request on a calendar, inside a guest.
mod calendar;
mod spec;
pub use calendar::Calendar;
pub use spec::{Environment, HttpTrigger, Method, Misfire, Overlap, Retries, SyncSchedule};
