"""One real OpenStack service in one process; run in the environment of `requirements/openstack.lock`.

A module for each service: `configure` writes its configuration, `prepare` makes its database on the first
start, `application` gives its WSGI application and starts its workers, all in this process: they talk over
oslo.messaging's `fake://`, which is the memory of the process.
"""
