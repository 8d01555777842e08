"""What must survive a pass: inventory, journal, lease, the embedded ledger."""
