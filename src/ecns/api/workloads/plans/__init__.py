"""What to make, change and remove so that Services, Ingresses and the autoscaler are as asked for; pure."""

from ecns.api.workloads.plans.access import plan_access, plan_routes, service_changes
from ecns.api.workloads.plans.plan import Plan
from ecns.api.workloads.plans.scaling import plan_scale_strategy

__all__ = ["Plan", "plan_access", "plan_routes", "plan_scale_strategy", "service_changes"]
