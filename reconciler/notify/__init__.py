"""Where people are told: webhooks, Slack and what speaks like it, and all that apprise reaches."""
