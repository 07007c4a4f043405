"""What-if: history decided again under another policy, on paper, with bounds for what nobody knows."""
