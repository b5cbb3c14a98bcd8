"""The page in a real Chromium. A package, so that its tests share one browser and one demo."""
