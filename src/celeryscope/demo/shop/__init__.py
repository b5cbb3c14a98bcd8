"""The demo's Celery project: a small web shop. Its app is `celeryscope.demo.shop.project`."""
