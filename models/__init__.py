"""The models that come with Penstock, served through the same contract as anyone's own."""
