# Every target does its own set-up, says what it installs, and is quick the second time.

python := .venv/bin/python
neighbours := postgresql chromium chromium-headless-shell docker.io iptables iproute2 busybox-static podman \
  runc containernetworking-plugins docker-registry mmdebstrap nodejs node-ws systemd \
  nginx apache2-bin haproxy caddy g++ make libsqlite3-dev \
  $(shell command -v npm >/dev/null || echo npm)
galaxys_neighbours := postgresql docker.io iptables iproute2 busybox-static

.PHONY: demo demo-image test test-galaxy bench bench-maps bench-sessions bench-spawners bench-chat soak fuzz lint clean

demo:  ## a running giestack with a JupyterLab to try it on: http://127.0.0.1:8800/giestack/demo
	@tools/prepare.sh --extras demo
	@exec .venv/bin/twistd -n giestack --demo

demo-image:  ## JupyterLab's image for Docker, made of Debian and PyPI packages; FORCE=1, TAG=, PACKAGES=
	@tools/prepare.sh
	@$(python) -m giestack.demo.image.build --prepare tools/prepare.sh \
	  $(if $(TAG),--tag "$(TAG)") $(if $(PACKAGES),--packages "$(PACKAGES)") $(if $(FORCE),--force)

test:  ## all tests, with the real neighbours
	@tools/prepare.sh --packages "$(neighbours)" --extras "demo,test" --no-services
	-@$(python) -m tests.neighbours.gx_it_proxy
	@tools/test.sh

test-galaxy:  ## with a Galaxy that runs, from PyPI; 2 minutes more the first time, 900 MB
	@tools/prepare.sh --packages "$(galaxys_neighbours)" --extras "demo,test" --no-services
	@tools/prepare-galaxy.sh
	@tools/test.sh $(addprefix tests.galaxy.,environments on_sqlite on_postgres with_remote_user)

lint:  ## style and types
	@tools/prepare.sh --extras "demo,test"
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

bench:  ## CPU per request beside other proxies, in one interleaved run
	@tools/prepare.sh --packages "nginx wrk g++ make libsqlite3-dev $(shell command -v npm >/dev/null || echo npm)"
	@$(python) -m bench.proxies

bench-maps:  ## requests beside large session maps, and while these change
	@tools/prepare.sh --packages "nginx wrk"
	@$(python) -m bench.maps

bench-sessions:  ## from the click to JupyterLab beside a bare start; answers while twenty start
	@tools/prepare.sh --extras demo
	@$(python) -m bench.sessions

bench-spawners:  ## from the click to JupyterLab in a container, beside JupyterHub and a bare container
	@tools/prepare.sh --packages "docker.io $(shell command -v npm >/dev/null || echo npm)"
	@$(MAKE) --no-print-directory demo-image
	@$(python) -m bench.spawners

bench-chat:  ## the chat beside Flask-SocketIO on eventlet and Node's ws: capacity, latency, memory
	@tools/prepare.sh --packages "gcc libc6-dev $(shell command -v npm >/dev/null || echo npm)"
	@$(python) -m bench.chat

soak:  ## 200,000 requests and 5,000 tunnels; memory and descriptors afterwards
	@tools/prepare.sh
	@$(python) -m bench.soak

fuzz:  ## 20,000 mutated requests
	@tools/prepare.sh --extras "demo,test"
	@$(python) -m bench.fuzz

clean:
	rm -rf .prepared .coverage* _trial_temp* .mypy_cache .ruff_cache .hypothesis
