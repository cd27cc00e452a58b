//! New versions, and rules that fail.

use crate::finding::Findings;
use crate::plan::{BreakerPlan, CanaryPlan, ProbationPlan, RolloutPlan};
use crate::view::View;

pub(super) fn build_breaker(breaker: View<'_>, out: &mut Findings) -> BreakerPlan {
    let plan = BreakerPlan {
        failures: breaker.count("failures") as u32,
        of: breaker.count("of") as u32,
        pause: breaker.time("pause"),
    };
    if plan.failures > plan.of {
        let (failures, of) = (plan.failures, plan.of);
        let message = format!("{failures} failures among {of} batches cannot be; lower `failures`, or raise `of`");
        let key = if breaker.node("failures").is_some() { "failures" } else { "of" };
        out.push(breaker.pos(key), message);
    }
    plan
}

pub(super) fn build_rollout(rollout: View<'_>) -> RolloutPlan {
    RolloutPlan {
        watch: rollout.flag("watch"),
        shadow: rollout.count("shadow"),
        canary: rollout.node("canary").map(|_| build_canary(rollout.child("canary"))),
        probation: build_probation(rollout.child("probation")),
    }
}

fn build_canary(canary: View<'_>) -> CanaryPlan {
    CanaryPlan { share: canary.share("share"), segments: canary.count("segments") as u32 }
}

fn build_probation(probation: View<'_>) -> ProbationPlan {
    ProbationPlan {
        segments: probation.count("segments") as u32,
        failed_rows: probation.count("failed_rows"),
        latency: probation.number("latency"),
        rejects: probation.share("rejects"),
        nulls: probation.share("nulls"),
        shift: probation.number("shift"),
    }
}
