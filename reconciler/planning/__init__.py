"""From verdicts and runtime states to an ordered plan with a digest; pure."""
