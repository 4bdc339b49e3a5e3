"""Jobs: do the background jobs run on schedule, and if not: which, since when and why."""

from ms5ops.ui import job_parts as parts
from ms5ops.ui import shell
from ms5ops.ui.readings import section

page = shell.begin("Jobs", "Do the background jobs run on schedule, and if not: which, since when and why?")
jobs = section(page.overview.jobs, "the background jobs")
if jobs is not None:
    parts.verdict(page, jobs)
    if not any(job.is_policy for job in jobs):
        parts.no_policies(page)
    if any(job.kind != "system" for job in jobs):
        parts.key_figures(page, jobs)
        parts.common_cause(page, jobs)
        parts.runs_over_time(page, jobs)
        parts.details(page, jobs)
    else:
        parts.housekeeping(page, jobs)
