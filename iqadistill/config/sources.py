"""Where datasets come from and what they hold; the registry of `iqadistill.datasets` has their details (a test compares)."""

# source -> "sphere" (equirectangular panoramas) or "flat"; source images may hold either, its entry's `kind` says which
KINDS = {
    "gallery360": "sphere",
    "gallery2d": "flat",
    "panoramas": "sphere",
    "noise360": "sphere",
    "images": "flat",
    "live": "flat",
    "csiq": "flat",
    "tid2013": "flat",
    "kadid10k": "flat",
    "livec": "flat",
    "koniq10k": "flat",
    "livefb": "flat",
    "spaq": "flat",
    "cviq": "sphere",
    "oiqa": "sphere",
    "mvaqd": "sphere",
    "div2k": "flat",
}
RENDERED = ("gallery360", "gallery2d", "panoramas", "noise360")
UNSCORED = ("noise360", "div2k")
NEEDS_ROOT = ("panoramas", *(name for name in KINDS if name not in RENDERED))
