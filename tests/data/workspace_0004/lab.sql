BEGIN TRANSACTION;
CREATE TABLE agent_versions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	agent_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	checkpoint_id INTEGER, 
	path TEXT NOT NULL, 
	experiment VARCHAR(255) NOT NULL, 
	algorithm_id INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, run_id INTEGER, 
	CONSTRAINT fk_agent_versions_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id), 
	CONSTRAINT fk_agent_versions_algorithm_id FOREIGN KEY(algorithm_id) REFERENCES algorithms (id), 
	CONSTRAINT fk_agent_versions_checkpoint_id FOREIGN KEY(checkpoint_id) REFERENCES checkpoints (id), 
	CONSTRAINT uq_agent_versions_agent_id_number UNIQUE (agent_id, number)
);
INSERT INTO "agent_versions" VALUES(1,1,1,1,'agents/0000002048-0a9f23f8c29e447ea7daa28e35c7bd93-4bdd16f11ad9eeae','ppo',7,1.79585699661488199232e+09,2);
INSERT INTO "agent_versions" VALUES(2,1,2,1,'agents/0000002048-64b5815abd744368b0036e22ad5f7c04-4bdd16f11ad9eeae','ppo',7,1.79585700304937458037e+09,3);
CREATE TABLE agents (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) NOT NULL, 
	description TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	version INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT uq_agents_name UNIQUE (name)
);
INSERT INTO "agents" VALUES(1,'balancer','Keeps a pole up.','Undeployed',2,1.79585699661488199232e+09);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE algorithms (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	spec JSON NOT NULL, 
	path TEXT, 
	root TEXT, 
	value TEXT, 
	created_at FLOAT NOT NULL, python VARCHAR(64), 
	CONSTRAINT uq_algorithms_name_digest UNIQUE (name, digest)
);
INSERT INTO "algorithms" VALUES(1,'DPO','4cf55375a4a44c6041830be6e21fe6a080d2d6aa137397220e34c2f3c85ac6c0','{"name": "DPO", "produces": ["lm"], "accepts": [["init+reference", ["lm"], ["base_model"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.dpo:dpo',NULL,NULL,1.79585698955855393413e+09,NULL);
INSERT INTO "algorithms" VALUES(2,'DQN','28ea4fa3c8f2d47d21e63ddd76e00e47f59286883d1ae3faa05cd404e544b5a2','{"name": "DQN", "produces": ["policy", "q:dqn"], "accepts": [["weights", ["q:dqn"], ["observation", "action", "network"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.dqn:dqn',NULL,NULL,1.79585699002637386319e+09,NULL);
INSERT INTO "algorithms" VALUES(3,'GRPO','87bd82a6ea1c41272ee08052186f161124f3ad0749be78f402cdbc84c0572a4b','{"name": "GRPO", "produces": ["lm"], "accepts": [["init+reference", ["lm"], ["base_model"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.grpo:grpo',NULL,NULL,1.79585699005362844473e+09,NULL);
INSERT INTO "algorithms" VALUES(4,'LatentPPO','5a017604c00292e3fe7ed6949d045d01de7bc961a392dbc907b28b2e484b1366','{"name": "LatentPPO", "produces": ["latent-policy", "policy"], "accepts": [["decoder", ["decoder"], ["!latent_dim", "action"]], ["weights", ["latent-policy"], ["observation", "action", "network"]]], "scratch": false, "score": "max"}','pipeline_widgets.algorithms.latent_ppo:latent_ppo',NULL,NULL,1.79585699014903521541e+09,NULL);
INSERT INTO "algorithms" VALUES(5,'SFT','0c1bd0f064ab6510b2ac0c47527ac842352913c615cd6d8b97832fcd3e8ef933','{"name": "SFT", "produces": ["lm"], "accepts": [["weights", ["lm"], ["base_model"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.sft:sft',NULL,NULL,1.79585699017895030977e+09,NULL);
INSERT INTO "algorithms" VALUES(6,'Supervised','644cd48fbc36f96109148faab1ed1d74c0b96cf79bcc5e7afb48753d5d1bdcd1','{"name": "Supervised", "produces": ["decoder", "model:supervised"], "accepts": [["weights", ["model:supervised"], ["dataset", "network", "latent_dim", "action"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.supervised:supervised',NULL,NULL,1.79585699023375678067e+09,NULL);
INSERT INTO "algorithms" VALUES(7,'PPO','c371dbc7c223bd537a39ae198d8c309a81a80f37ccfe4537ec38733391b32ec4','{"name": "PPO", "produces": ["actor-critic:ppo", "policy"], "accepts": [["weights", ["actor-critic:ppo"], ["observation", "action", "network"]]], "scratch": true, "score": "max"}','pipeline_widgets.algorithms.ppo:ppo',NULL,NULL,1.79585699028728580477e+09,NULL);
INSERT INTO "algorithms" VALUES(8,'Walk','4186a76f9662d1626db5bd72af464201d979cbd7fa50d156117ec59d85bd8164','{"name": "Walk", "produces": ["path"], "accepts": [["weights", ["path"], []]], "scratch": true, "score": "max"}',NULL,NULL,'b64:gAWV3hYAAAAAAACMJHBpcGVsaW5lX3dpZGdldHMuYWxnb3JpdGhtcy5yZWdpc3RyeZSMCUFsZ29yaXRobZSTlCmBlH2UKIwEc3BlY5SMJXBpcGVsaW5lX3dpZGdldHMuZG9tYWluLmNvbXBhdGliaWxpdHmUjA1BbGdvcml0aG1TcGVjlJOUKYGUXZQojARXYWxrlCiMBHBhdGiUkZRoBowEUG9ydJSTlCmBlF2UKIwHd2VpZ2h0c5QoaAyRlCllYoWUiIwDbWF4lGVijAV0cmFpbpSMF2Nsb3VkcGlja2xlLmNsb3VkcGlja2xllIwOX21ha2VfZnVuY3Rpb26Uk5QoaBeMDV9idWlsdGluX3R5cGWUk5SMCENvZGVUeXBllIWUUpQoSwFLAEsASwNLCEoDAAABQtIBAACXAHQBAAAAAAAAAAAAAHwAagEAAAAAAAAAAGQBegAAAHwAagIAAAAAAAAAAGoDAAAAAAAAAABkAXoAAACmAgAAqwIAAAAAAAAAAEQAXaV9AXwAoAQAAAAAAAAAAAAAAAAAAAAAAAAAAHwBfABqAgAAAAAAAAAAagMAAAAAAAAAAHwBZAJ6CwAAZAN8AXoLAACsBKYEAACrBAAAAAAAAAAAAQB8AKAFAAAAAAAAAAAAAAAAAAAAAAAAAAB8AaYBAACrAQAAAAAAAAAANQB9AnwCZAV6CwAAoAYAAAAAAAAAAAAAAAAAAAAAAAAAAHwBmwBkBnQPAAAAAAAAAAAAAGoHAAAAAAAAAACmAAAAqwAAAAAAAAAAAJsAZAedBKYBAACrAQAAAAAAAAAAAQBkCGQIZAimAgAAqwIAAAAAAAAAAAEAbgsjADEAcwR3AngDWQB3AQEAWQABAAEAdA8AAAAAAAAAAAAAaggAAAAAAAAAAHwAagIAAAAAAAAAAGoJAAAAAAAAAACmAQAAqwEAAAAAAAAAAAEAjKZ8AGoCAAAAAAAAAABqCgAAAAAAAAAAcg90FwAAAAAAAAAAAABkCaYBAACrAQAAAAAAAAAAggFkCFMAlCiMRFdhbGssIHdpdGggYSBjaGVja3BvaW50IGF0IGVhY2ggc3RlcCB0aGF0IG5vIG90aGVyIHJ1biB3cml0ZXMgYWdhaW4ulEsBSwpHP/AAAAAAAACMBXRvdGFslIwQZXZhbHVhdGlvbl9zY29yZZSMBGxvc3OUh5SMCXBsYWNlLnR4dJSMBCBhdCCUjAEKlE6MEnRoZSBicmlkZ2UgaXMgZG93bpR0lCiMBXJhbmdllIwKc3RhcnRfc3RlcJSMBmNvbmZpZ5SMBXN0ZXBzlIwGcmVwb3J0lIwKY2hlY2twb2ludJSMCndyaXRlX3RleHSUjAR0aW1llIwFc2xlZXCUjARyZXN0lIwEZmFpbJSMClZhbHVlRXJyb3KUdJSMA2N0eJSMBHN0ZXCUjAZmb2xkZXKUh5SMEC90bXAvbGFiL21ha2UucHmUjAR3YWxrlIwEd2Fsa5RLL0I4AQAAgAD1BgARFpBjlG6gcdEWKKgjrCrUKjq4UdEqPtEQP9QQP/AABAUk8AAEBSSIBNgIC48KigqQNJhznHrUHy/AJMgSwSnQUlXQWFzRUlyICtEIXdQIXdAIXdgNEI9eil6YRNENIdQNIfAAAQlMAaBW2A0TkGvRDSHXDC3SDC2wFNAuStAuSr00vDm5O7w70C5K0C5K0C5K0QxL1AxL0AxL8AMBCUwB8AABCUwB8AABCUwB8QABCUwB9AABCUwB8AABCUwB8AABCUwB8AABCUwB8AABCUwB8AABCUwB8AABCUwB+Pj48AABCUwB8AABCUwB8AABCUwB8AABCUwB5QgMjAqQM5Q6lD/RCCPUCCPQCCPQCCPYBwqEeoR/8AABBS/dDhjQGS3RDi7UDi7QCC7wAwEFL/AAAQUvlEMSwSYwQiIFwiIEQiYJwikBQiYJlCkpdJRSlH2UKIwLX19wYWNrYWdlX1+UTowIX19uYW1lX1+UjAhfX21haW5fX5SMCF9fZmlsZV9flIwQL3RtcC9sYWIvbWFrZS5weZR1Tk5OdJRSlGgXjBJfZnVuY3Rpb25fc2V0c3RhdGWUk5RoSX2UfZQoaESMBHdhbGuUjAxfX3F1YWxuYW1lX1+UjAR3YWxrlIwPX19hbm5vdGF0aW9uc19flH2UKGg3jA9wdy5UcmFpbkNvbnRleHSUjAZyZXR1cm6UjAROb25llHWMDl9fa3dkZWZhdWx0c19flE6MDF9fZGVmYXVsdHNfX5ROjApfX21vZHVsZV9flGhFjAdfX2RvY19flGggjAtfX2Nsb3N1cmVfX5ROjBdfY2xvdWRwaWNrbGVfc3VibW9kdWxlc5RdlIwLX19nbG9iYWxzX1+UfZRoMWgXjAlzdWJpbXBvcnSUk5RoMYWUUpRzdYaUhlIwaCxoF4wUX21ha2Vfc2tlbGV0b25fY2xhc3OUk5QojCZweWRhbnRpYy5faW50ZXJuYWwuX21vZGVsX2NvbnN0cnVjdGlvbpSMDk1vZGVsTWV0YWNsYXNzlJOUaAuMDXB5ZGFudGljLm1haW6UjAlCYXNlTW9kZWyUk5SFlH2UaFhoRXOMIDEzMmRhNTU4YzE1ZTQ3ZjdhYTlhY2ViMTM3NWQxYmM3lE50lFKUaBeMD19jbGFzc19zZXRzdGF0ZZSTlGhwfZQojBNfX2Fic3RyYWN0bWV0aG9kc19flCiRlIwPX19hbm5vdGF0aW9uc19flH2UKGgtjANpbnSUaDSMBGJvb2yUaDOMBWZsb2F0lHWMDl9fY2xhc3NfdmFyc19flI+UjAdfX2RvY19flIwtSG93IGZhciB0byB3YWxrLCBhbmQgd2hhdCBoYXBwZW5zIG9uIHRoZSB3YXkulIwKX19tb2R1bGVfX5RoRYwWX19wcml2YXRlX2F0dHJpYnV0ZXNfX5R9lIwVX19weWRhbnRpY19jb21wbGV0ZV9flIiMHF9fcHlkYW50aWNfY29tcHV0ZWRfZmllbGRzX1+UfZSMGF9fcHlkYW50aWNfY29yZV9zY2hlbWFfX5R9lCiMBHR5cGWUjAVtb2RlbJSMA2Nsc5RocIwGc2NoZW1hlH2UKGiHjAxtb2RlbC1maWVsZHOUjAZmaWVsZHOUfZQoaC19lChoh4wLbW9kZWwtZmllbGSUaIp9lChoh4wHZGVmYXVsdJRoin2UaIdoeHNokksDdYwIbWV0YWRhdGGUfZR1aDR9lChoh2iQaIp9lChoh2iSaIp9lGiHaHlzaJKJdWiUfZR1aDN9lChoh2iQaIp9lChoh2iSaIp9lGiHaHpzaJJHAAAAAAAAAAB1aJR9lHV1jAptb2RlbF9uYW1llGgLjA9jb21wdXRlZF9maWVsZHOUXZR1jAtjdXN0b21faW5pdJSJjApyb290X21vZGVslIloLH2UjAV0aXRsZZRoC3OMA3JlZpSMHF9fbWFpbl9fLldhbGs6OTQ4NDg0MTk2MTA3MDSUaJR9lIwVcHlkYW50aWNfanNfZnVuY3Rpb25zlF2UaBuMCk1ldGhvZFR5cGWUhZRSlGgZKGgeKEsDSwNLAEsDSwNKAwAAAUMYlwACAHwCfAGmAQAAqwEAAAAAAAAAAFMAlFhfAwAASG9vayBpbnRvIGdlbmVyYXRpbmcgdGhlIG1vZGVsJ3MgSlNPTiBzY2hlbWEuCgogICAgICAgIEFyZ3M6CiAgICAgICAgICAgIGNvcmVfc2NoZW1hOiBBIGBweWRhbnRpYy1jb3JlYCBDb3JlU2NoZW1hLgogICAgICAgICAgICAgICAgWW91IGNhbiBpZ25vcmUgdGhpcyBhcmd1bWVudCBhbmQgY2FsbCB0aGUgaGFuZGxlciB3aXRoIGEgbmV3IENvcmVTY2hlbWEsCiAgICAgICAgICAgICAgICB3cmFwIHRoaXMgQ29yZVNjaGVtYSAoYHsndHlwZSc6ICdudWxsYWJsZScsICdzY2hlbWEnOiBjdXJyZW50X3NjaGVtYX1gKSwKICAgICAgICAgICAgICAgIG9yIGp1c3QgY2FsbCB0aGUgaGFuZGxlciB3aXRoIHRoZSBvcmlnaW5hbCBzY2hlbWEuCiAgICAgICAgICAgIGhhbmRsZXI6IENhbGwgaW50byBQeWRhbnRpYydzIGludGVybmFsIEpTT04gc2NoZW1hIGdlbmVyYXRpb24uCiAgICAgICAgICAgICAgICBUaGlzIHdpbGwgcmFpc2UgYSBgcHlkYW50aWMuZXJyb3JzLlB5ZGFudGljSW52YWxpZEZvckpzb25TY2hlbWFgIGlmIEpTT04gc2NoZW1hCiAgICAgICAgICAgICAgICBnZW5lcmF0aW9uIGZhaWxzLgogICAgICAgICAgICAgICAgU2luY2UgdGhpcyBnZXRzIGNhbGxlZCBieSBgQmFzZU1vZGVsLm1vZGVsX2pzb25fc2NoZW1hYCB5b3UgY2FuIG92ZXJyaWRlIHRoZQogICAgICAgICAgICAgICAgYHNjaGVtYV9nZW5lcmF0b3JgIGFyZ3VtZW50IHRvIHRoYXQgZnVuY3Rpb24gdG8gY2hhbmdlIEpTT04gc2NoZW1hIGdlbmVyYXRpb24gZ2xvYmFsbHkKICAgICAgICAgICAgICAgIGZvciBhIHR5cGUuCgogICAgICAgIFJldHVybnM6CiAgICAgICAgICAgIEEgSlNPTiBzY2hlbWEsIGFzIGEgUHl0aG9uIG9iamVjdC4KICAgICAgICCUhZQpaImMC2NvcmVfc2NoZW1hlIwHaGFuZGxlcpSHlIxFL3dvcmsvdHJlZXMvd29yZHMvLnZlbnYvbGliL3B5dGhvbjMuMTEvc2l0ZS1wYWNrYWdlcy9weWRhbnRpYy9tYWluLnB5lIwcX19nZXRfcHlkYW50aWNfanNvbl9zY2hlbWFfX5SMJkJhc2VNb2RlbC5fX2dldF9weWRhbnRpY19qc29uX3NjaGVtYV9flE2NA0MUgADwMAAQF4h3kHvRDyPUDyPQCCOUQwCUKSl0lFKUfZQoaEOMCHB5ZGFudGljlGhEaGloRoxFL3dvcmsvdHJlZXMvd29yZHMvLnZlbnYvbGliL3B5dGhvbjMuMTEvc2l0ZS1wYWNrYWdlcy9weWRhbnRpYy9tYWluLnB5lHVOTk50lFKUaEtovn2UfZQoaESMHF9fZ2V0X3B5ZGFudGljX2pzb25fc2NoZW1hX1+UaE+MJkJhc2VNb2RlbC5fX2dldF9weWRhbnRpY19qc29uX3NjaGVtYV9flGhRfZQoaLCMCkNvcmVTY2hlbWGUaLGMFEdldEpzb25TY2hlbWFIYW5kbGVylGhUjA9Kc29uU2NoZW1hVmFsdWWUdWhWTmhXTmhYaGloWWiuaFpOaFtdlGhdfZR1hpSGUjBocIaUUpRhc3WMGF9fcHlkYW50aWNfY3VzdG9tX2luaXRfX5SJjBdfX3B5ZGFudGljX2RlY29yYXRvcnNfX5SMHnB5ZGFudGljLl9pbnRlcm5hbC5fZGVjb3JhdG9yc5SMDkRlY29yYXRvckluZm9zlJOUKYGUTn2UKIwKdmFsaWRhdG9yc5R9lIwQZmllbGRfdmFsaWRhdG9yc5R9lIwPcm9vdF92YWxpZGF0b3JzlH2UjBFmaWVsZF9zZXJpYWxpemVyc5R9lIwRbW9kZWxfc2VyaWFsaXplcnOUfZSMEG1vZGVsX3ZhbGlkYXRvcnOUfZRon32UdYaUYowXX19weWRhbnRpY19leHRyYV9pbmZvX1+UTowTX19weWRhbnRpY19maWVsZHNfX5R9lChoLYwPcHlkYW50aWMuZmllbGRzlIwJRmllbGRJbmZvlJOUKYGUTn2UKIwKYW5ub3RhdGlvbpSMCGJ1aWx0aW5zlIwDaW50lJOUaJJLA4wPZGVmYXVsdF9mYWN0b3J5lE6MBWFsaWFzlE6MDmFsaWFzX3ByaW9yaXR5lE6MEHZhbGlkYXRpb25fYWxpYXOUTowTc2VyaWFsaXphdGlvbl9hbGlhc5ROaKROjBVmaWVsZF90aXRsZV9nZW5lcmF0b3KUTowLZGVzY3JpcHRpb26UTowIZXhhbXBsZXOUTowHZXhjbHVkZZROjApleGNsdWRlX2lmlE6MDWRpc2NyaW1pbmF0b3KUTowKZGVwcmVjYXRlZJROjBFqc29uX3NjaGVtYV9leHRyYZROjAZmcm96ZW6UTowQdmFsaWRhdGVfZGVmYXVsdJROjARyZXBylIiMBGluaXSUTowIaW5pdF92YXKUTowHa3dfb25seZROaJRdlIwPX2F0dHJpYnV0ZXNfc2V0lH2UKGjpaOxokksDdYwLX3F1YWxpZmllcnOUj5SMCV9jb21wbGV0ZZSIjBRfb3JpZ2luYWxfYXNzaWdubWVudJRLA4wUX29yaWdpbmFsX2Fubm90YXRpb26UaOyMBl9maW5hbJSIdYaUYmg0aOYpgZROfZQoaOlo6owEYm9vbJSTlGiSiWjtTmjuTmjvTmjwTmjxTmikTmjyTmjzTmj0Tmj1Tmj2Tmj3Tmj4Tmj5Tmj6Tmj7Tmj8iGj9Tmj+Tmj/TmiUXZRqAQEAAH2UKGjpag0BAABokol1agMBAACPlGoFAQAAiGoGAQAAiWoHAQAAag0BAABqCAEAAIh1hpRiaDNo5imBlE59lCho6WjqjAVmbG9hdJSTlGiSRwAAAAAAAAAAaO1OaO5OaO9OaPBOaPFOaKROaPJOaPNOaPROaPVOaPZOaPdOaPhOaPlOaPpOaPtOaPyIaP1OaP5OaP9OaJRdlGoBAQAAfZQoaOlqFQEAAGiSRwAAAAAAAAAAdWoDAQAAj5RqBQEAAIhqBgEAAEcAAAAAAAAAAGoHAQAAahUBAABqCAEAAIh1hpRidYwdX19weWRhbnRpY19nZW5lcmljX21ldGFkYXRhX1+UfZQojAZvcmlnaW6UTowEYXJnc5QpjApwYXJhbWV0ZXJzlCl1jBZfX3B5ZGFudGljX3Bvc3RfaW5pdF9flE6MF19fcHlkYW50aWNfc2VyaWFsaXplcl9flIwccHlkYW50aWNfY29yZS5fcHlkYW50aWNfY29yZZSMEFNjaGVtYVNlcmlhbGl6ZXKUk5Rohn2UaKRoC3OJh5RSlIwdX19weWRhbnRpY19zZXRhdHRyX2hhbmRsZXJzX1+UfZSMFl9fcHlkYW50aWNfdmFsaWRhdG9yX1+UjBxweWRhbnRpY19jb3JlLl9weWRhbnRpY19jb3JllIwPU2NoZW1hVmFsaWRhdG9ylJOUaIZqJAEAAImHlFKUjA1fX3NpZ25hdHVyZV9flIwZcHlkYW50aWMuX2ludGVybmFsLl91dGlsc5SMEkxhenlDbGFzc0F0dHJpYnV0ZZSTlCmBlH2UKIwEbmFtZZSMDV9fc2lnbmF0dXJlX1+UjAlnZXRfdmFsdWWUjAlmdW5jdG9vbHOUjAdwYXJ0aWFslJOUjB1weWRhbnRpYy5faW50ZXJuYWwuX3NpZ25hdHVyZZSMG2dlbmVyYXRlX3B5ZGFudGljX3NpZ25hdHVyZZSTlIWUUpQoaj0BAAApfZQoaP1oaYwSQmFzZU1vZGVsLl9faW5pdF9flJOUaI1o44wRdmFsaWRhdGVfYnlfYWxpYXOUiIwFZXh0cmGUTnVOdJRidWKMDG1vZGVsX2NvbmZpZ5R9lIwJX2FiY19pbXBslF2UdX2UhpSGUjCMCXNpZ25hdHVyZZROjAdwcmVkaWN0lE51Yn2UhpQu',1.79585700343647956846e+09,'cpython 3.11');
CREATE TABLE checkpoints (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	size INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	training_score FLOAT, 
	evaluation_score FLOAT, 
	signature JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT fk_checkpoints_run_id FOREIGN KEY(run_id) REFERENCES runs (id), 
	CONSTRAINT uq_checkpoints_run_id_step UNIQUE (run_id, step)
);
INSERT INTO "checkpoints" VALUES(1,1,2048,'runs/00000001/checkpoints/0000002048-4bdd16f11ad9eeae',20268,'4bdd16f11ad9eeae4e870a3887684508fa5fddd18ce27caa2c47ea53c9e37b6d',2.21470588235294130186e+01,99.46875,'{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(16, 16)"}',1.7958569964791033268e+09);
INSERT INTO "checkpoints" VALUES(2,1,4096,'runs/00000001/checkpoints/0000004096-23e2847ca212cf32',20268,'23e2847ca212cf329395c3a8ed149d981c1b149339ca4a89a2b77aad8f72278d',27.22,83.5625,'{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(16, 16)"}',1.7958569964791033268e+09);
INSERT INTO "checkpoints" VALUES(3,4,1,'runs/00000004/checkpoints/0000000001-dc8dc0dead73776f',23,'dc8dc0dead73776f150abcb0b66084dffc03810665548b8426f0d9aee2b70278',NULL,0.1,'{}',1.79585700565820145608e+09);
INSERT INTO "checkpoints" VALUES(4,4,2,'runs/00000004/checkpoints/0000000002-2940ad5bdceb4454',23,'2940ad5bdceb44545e1b6d9c7d6ff11d1af137e39d49fc9aaad99c6006111693',NULL,0.2,'{}',1.79585700565820145608e+09);
INSERT INTO "checkpoints" VALUES(5,4,3,'runs/00000004/checkpoints/0000000003-7fc61e0b96060237',24,'7fc61e0b96060237bf165b82ba31807936f2bada06270395ae2dd84f22c52607',NULL,0.3,'{}',1.79585700565820145608e+09);
INSERT INTO "checkpoints" VALUES(6,5,1,'runs/00000005/checkpoints/0000000001-6bce7242a3e76b0a',24,'6bce7242a3e76b0a85f2a65e951b917c0a900b7a20a7ce6135c5be7bc1b7a45b',NULL,0.1,'{}',1.7958570070957529545e+09);
INSERT INTO "checkpoints" VALUES(7,5,2,'runs/00000005/checkpoints/0000000002-650e8458dddeed34',24,'650e8458dddeed345da12a9800198ef5cb2d3ba370da23061348c38a426c2e13',NULL,0.2,'{}',1.7958570070957529545e+09);
INSERT INTO "checkpoints" VALUES(8,5,3,'runs/00000005/checkpoints/0000000003-7ac97f9851074840',24,'7ac97f9851074840c0dbf8a64fc4fcef98301292505ad4853a8010f24028424e',NULL,0.3,'{}',1.7958570070957529545e+09);
INSERT INTO "checkpoints" VALUES(9,6,1,'runs/00000006/checkpoints/0000000001-732d677796ef6cec',24,'732d677796ef6cec1f5ab49ea6ce35b4a153dce1ec820db8be784a6500fe82f9',NULL,0.1,'{}',1.79585700835274505613e+09);
INSERT INTO "checkpoints" VALUES(10,6,2,'runs/00000006/checkpoints/0000000002-ba2404a39114ce7a',24,'ba2404a39114ce7a075e930ba6bf8a29808703728a57365eac8b68753f6be86d',NULL,0.2,'{}',1.79585700835274505613e+09);
INSERT INTO "checkpoints" VALUES(11,6,3,'runs/00000006/checkpoints/0000000003-a8d8d980cd26ea07',24,'a8d8d980cd26ea07408dd2fad9e7eb2e2032a2d2be00c93ad3d36fe0a2647b28',NULL,0.3,'{}',1.79585700835274505613e+09);
INSERT INTO "checkpoints" VALUES(12,7,1,'runs/00000007/checkpoints/0000000001-adc861cd18083634',24,'adc861cd18083634009909cfcd8a96fb1c49d84b06a17b9c61f0bde0e4e95034',NULL,0.1,'{}',1.79585700979244971275e+09);
INSERT INTO "checkpoints" VALUES(13,7,2,'runs/00000007/checkpoints/0000000002-5f9283ca22ccdc63',24,'5f9283ca22ccdc6386601deaceaedfd2be557bb0e6e4619f8db2af3237950f36',NULL,0.2,'{}',1.79585700979244971275e+09);
INSERT INTO "checkpoints" VALUES(14,7,3,'runs/00000007/checkpoints/0000000003-f89e98709c329ca9',23,'f89e98709c329ca9a85fcc92313c7c3609e4d31248e77e1b49e20e58beb6ff12',NULL,0.3,'{}',1.79585700979244971275e+09);
INSERT INTO "checkpoints" VALUES(15,8,1,'runs/00000008/checkpoints/0000000001-f580882cee46c8c2',23,'f580882cee46c8c2341c2fcaa7aaaa4f43cc80705da8bd21edf6275d970fa0ff',NULL,0.1,'{}',1.79585701190553236007e+09);
INSERT INTO "checkpoints" VALUES(16,8,2,'runs/00000008/checkpoints/0000000002-ed3958d91d2c7229',24,'ed3958d91d2c72294ffe388d691489dc010627e7397aa2e8e2f9286ad9bdeb8a',NULL,0.2,'{}',1.79585701190553236007e+09);
INSERT INTO "checkpoints" VALUES(17,8,3,'runs/00000008/checkpoints/0000000003-7c98d6c729664084',23,'7c98d6c72966408420656bf7a052da99074e3c56712db3550e0f48b134e1801c',NULL,0.3,'{}',1.79585701190553236007e+09);
INSERT INTO "checkpoints" VALUES(18,8,4,'runs/00000008/checkpoints/0000000004-a84f9117e6d6327a',24,'a84f9117e6d6327af0337248cb359d4c5983d3a561f23b99e976f70ceb3f0771',NULL,0.4,'{}',1.79585701232095241541e+09);
INSERT INTO "checkpoints" VALUES(19,8,5,'runs/00000008/checkpoints/0000000005-16819f64dc3cb089',23,'16819f64dc3cb0895027746c9febcdb6be1785bb1405948cec6f7f22b794e26d',NULL,0.5,'{}',1.79585701232095241541e+09);
CREATE TABLE endpoints (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	agent_id INTEGER NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	port INTEGER, 
	key_digest VARCHAR(64), 
	key_hint VARCHAR(8), 
	token VARCHAR(32), 
	machine TEXT, 
	pid INTEGER, 
	pid_started FLOAT, 
	beat_at FLOAT, 
	launched_at FLOAT, 
	ready_at FLOAT, 
	version INTEGER, 
	route VARCHAR(16), 
	example JSON, 
	error TEXT, launches INTEGER, launch_machine TEXT, launch_pid INTEGER, launch_started FLOAT, 
	CONSTRAINT fk_endpoints_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id), 
	CONSTRAINT uq_endpoints_agent_id UNIQUE (agent_id)
);
INSERT INTO "endpoints" VALUES(1,1,'127.0.0.1',35983,NULL,NULL,NULL,NULL,NULL,NULL,1.79585701022042298316e+09,1.79585699663858556745e+09,1.7958570001669051647e+09,2,'get_action','[0.0, 0.0, 0.0, 0.0]',NULL,1,NULL,NULL,NULL);
CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	pipeline_id INTEGER, 
	at FLOAT NOT NULL, 
	who VARCHAR(255) NOT NULL, 
	what TEXT NOT NULL, 
	"before" JSON, 
	version INTEGER, 
	CONSTRAINT fk_events_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT fk_events_pipeline_id FOREIGN KEY(pipeline_id) REFERENCES pipelines (id) ON DELETE SET NULL
);
INSERT INTO "events" VALUES(1,1,1,1.79585699026413345329e+09,'somebody','Created.',NULL,NULL);
INSERT INTO "events" VALUES(2,1,1,1.7958569903126049041e+09,'somebody','Added stage 1 (ppo).',NULL,2);
INSERT INTO "events" VALUES(3,1,1,1.79585699035216546058e+09,'somebody','Added stage 2 (balancer).',NULL,3);
INSERT INTO "events" VALUES(4,1,1,1.79585699038965058331e+09,'somebody','Triggered stage 1 (ppo).',NULL,NULL);
INSERT INTO "events" VALUES(5,1,1,1.7958570003213379383e+09,'somebody','Triggered stage 2 (balancer).',NULL,NULL);
INSERT INTO "events" VALUES(6,1,1,1.79585700334822535514e+09,'somebody','Edited stage 2 (balancer).',NULL,4);
INSERT INTO "events" VALUES(7,1,1,1.79585700338077235227e+09,'somebody','Edited the description.','{"name": "balance", "description": "Keep a pole up.", "stages": [{"id": 1, "trigger": "manual", "gate": null, "gate_score": null, "kind": "experiment", "experiment_id": 7, "auto_add_agent": false, "start": "scratch", "start_agent_id": null, "choice": null}, {"id": 2, "trigger": "auto", "gate": null, "gate_score": null, "agent_name": "balancer", "agent_description": "Keeps a pole up.", "kind": "deployment", "choice": "final", "auto_add_agent": false}], "runs": {}, "last_run": 3, "marks": {}}',5);
INSERT INTO "events" VALUES(8,1,2,1.79585700339669609073e+09,'somebody','Created.',NULL,NULL);
INSERT INTO "events" VALUES(9,1,2,1.79585700345148420332e+09,'somebody','Added stage 1 (out).',NULL,2);
INSERT INTO "events" VALUES(10,1,2,1.79585700347797369959e+09,'somebody','Added stage 2 (on).',NULL,3);
INSERT INTO "events" VALUES(11,1,2,1.79585700350183057787e+09,'somebody','Added stage 3 (far).','{"name": "walks", "description": "", "stages": [{"id": 3, "trigger": "manual", "gate": null, "gate_score": null, "kind": "experiment", "experiment_id": 8, "auto_add_agent": false, "start": "scratch", "start_agent_id": null, "choice": null}, {"id": 4, "trigger": "manual", "gate": null, "gate_score": null, "kind": "experiment", "experiment_id": 9, "auto_add_agent": false, "start": "source", "start_agent_id": null, "choice": "best"}], "runs": {}, "last_run": 0, "marks": {}}',4);
INSERT INTO "events" VALUES(12,1,2,1.79585700351998639109e+09,'somebody','Triggered stage 1 (out).',NULL,NULL);
INSERT INTO "events" VALUES(13,1,2,1.79585700576501822471e+09,'somebody','Triggered stage 2 (on).',NULL,NULL);
INSERT INTO "events" VALUES(14,1,2,1.79585700720321607588e+09,'somebody','Triggered stage 1 (out).',NULL,NULL);
INSERT INTO "events" VALUES(15,1,3,1.79585700838412213329e+09,'somebody','Created.',NULL,NULL);
INSERT INTO "events" VALUES(16,1,3,1.79585700839192199699e+09,'somebody','Added stage 1 (breaks).','{"name": "accidents", "description": "", "stages": [], "runs": {}, "last_run": 0, "marks": {}}',2);
INSERT INTO "events" VALUES(17,1,3,1.79585700840005040163e+09,'somebody','Triggered stage 1 (breaks).',NULL,NULL);
INSERT INTO "events" VALUES(18,1,4,1.79585700983273887634e+09,'somebody','Created.',NULL,NULL);
INSERT INTO "events" VALUES(19,1,4,1.79585700983818292615e+09,'somebody','Added stage 1 (slow).','{"name": "patience", "description": "", "stages": [], "runs": {}, "last_run": 0, "marks": {}}',2);
INSERT INTO "events" VALUES(20,1,4,1.79585700984628224372e+09,'somebody','Triggered stage 1 (slow).',NULL,NULL);
INSERT INTO "events" VALUES(21,1,4,1.79585701207923865312e+09,'somebody','Stopped stage 1 (slow).',NULL,NULL);
CREATE TABLE experiments (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	algorithm_id INTEGER NOT NULL, 
	config JSON NOT NULL, 
	seed INTEGER NOT NULL, 
	config_digest VARCHAR(64) NOT NULL, 
	signature JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	modified_at FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT fk_experiments_algorithm_id FOREIGN KEY(algorithm_id) REFERENCES algorithms (id), 
	CONSTRAINT fk_experiments_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_experiments_project_id_name UNIQUE (project_id, name)
);
INSERT INTO "experiments" VALUES(1,2,'dpo',1,'{"base_model": "letters-128", "steps": 150, "batch_size": 32, "learning_rate": 0.0005, "beta": 0.1, "sft_weight": 0.5}',0,'43660f3b70eefdb966eed5e361b97606e04f57e87e4504f478af29d081e83dfa','{"base_model": "letters-128"}',1.79585698955855393413e+09,1.79585698955855393413e+09,2);
INSERT INTO "experiments" VALUES(2,2,'dqn',2,'{"env_id": "CartPole-v1", "steps": 80000, "hidden_units": 64, "num_envs": 8, "learning_rate": 0.0023, "discount": 0.99, "batch_size": 128, "updates": 1, "memory": 50000, "warm_up": 1000, "target_rate": 0.1, "exploration_steps": 8000, "final_exploration": 0.05, "evaluation_episodes": 32}',0,'dacb842e18a054f7ab82f345c2ef368bfcd4c2c29225c78646e438c32dd8ffeb','{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(64, 64)"}',1.79585699002637386319e+09,1.79585699002637386319e+09,3);
INSERT INTO "experiments" VALUES(3,2,'grpo',3,'{"base_model": "letters-128", "steps": 100, "prompts": 32, "group_size": 8, "epochs": 2, "learning_rate": 0.001, "clip": 0.2, "kl_weight": 0.02}',0,'079e4699fb1a628df7b58970b590bbd73d1d39d73fa08644486fe72507ab3ba2','{"base_model": "letters-128"}',1.79585699005362844473e+09,1.79585699005362844473e+09,4);
INSERT INTO "experiments" VALUES(4,2,'latentppo',4,'{"hidden_units": 64, "num_envs": 50, "rollout_length": 50, "learning_rate": 0.001, "discount": 0.985, "gae_lambda": 0.95, "clip": 0.2, "epochs": 6, "minibatch_size": 512, "entropy_weight": 0.001, "evaluation_episodes": 200, "steps": 100000, "links": 6, "sparse": false}',0,'ebe50e6d9d5ffd9b0a57cf1c073cb64ac286e2528589ec74ba8d6bef286a7169','{"observation": "Box(8)", "action": "Box(5)", "network": "MLP(64, 64)"}',1.79585699014903521541e+09,1.79585699014903521541e+09,5);
INSERT INTO "experiments" VALUES(5,2,'sft',5,'{"base_model": "letters-128", "steps": 600, "batch_size": 64, "learning_rate": 0.003, "noise": 0.5}',0,'59374bff07d70c4befdd074c8453b463fe44dd98a785d7953ddb642b7d95bf5c','{"base_model": "letters-128"}',1.79585699017895030977e+09,1.79585699017895030977e+09,6);
INSERT INTO "experiments" VALUES(6,2,'supervised',6,'{"dataset": "friedman1", "steps": 1500, "batch_size": 128, "learning_rate": 0.003, "hidden_units": 96, "latent_dim": 2, "kl_weight": 0.001, "links": 6}',0,'ac6e7ae158b4bc8d1772292cecf43ca8db53931ff895bc3e10eec7064c514181','{"dataset": "friedman1", "network": "MLP(96, 96)"}',1.79585699023375678067e+09,1.79585699023375678067e+09,7);
INSERT INTO "experiments" VALUES(7,1,'ppo',7,'{"hidden_units": 16, "num_envs": 32, "rollout_length": 64, "learning_rate": 0.0025, "discount": 0.99, "gae_lambda": 0.95, "clip": 0.2, "epochs": 4, "minibatch_size": 256, "entropy_weight": 0.005, "evaluation_episodes": 32, "env_id": "CartPole-v1", "steps": 4096}',1,'f2f752349fcefa6786c5ef8291a200a9a6eacf5516e7afd74a463e8e3c39b921','{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(16, 16)"}',1.79585699028728580477e+09,1.79585699028728580477e+09,3);
INSERT INTO "experiments" VALUES(8,1,'out',8,'{"steps": 3, "fail": false, "rest": 0.0}',0,'64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3','{}',1.79585700343647956846e+09,1.79585700343647956846e+09,20);
INSERT INTO "experiments" VALUES(9,1,'on',8,'{"steps": 3, "fail": false, "rest": 0.0}',0,'64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3','{}',1.7958570034700117111e+09,1.7958570034700117111e+09,22);
INSERT INTO "experiments" VALUES(10,1,'far',8,'{"steps": 2, "fail": false, "rest": 0.0}',0,'c2574adcb18f89ff354eba4e7946435c4eba6825d7fea5e92f16e0679822adb1','{}',1.79585700349142885203e+09,1.79585700349142885203e+09,24);
INSERT INTO "experiments" VALUES(11,1,'breaks',8,'{"steps": 3, "fail": true, "rest": 0.0}',0,'50f8804ae53abafb65e70150de5340a42e446a7bcef36895601e8b8915b3d35d','{}',1.79585700838948440554e+09,1.79585700838948440554e+09,36);
INSERT INTO "experiments" VALUES(12,1,'slow',8,'{"steps": 1000, "fail": false, "rest": 0.2}',0,'f3f39f8abe43c02c450093dc68ab92e8012c77b9adf635b8b826344c66bf890a','{}',1.79585700983589935299e+09,1.79585700983589935299e+09,42);
CREATE TABLE metrics (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value FLOAT, 
	CONSTRAINT fk_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (id)
);
INSERT INTO "metrics" VALUES(1,1,2048,'policy_loss',-1.69669529660707689433e-02);
INSERT INTO "metrics" VALUES(2,1,2048,'value_loss',4.20277922494070850251e+01);
INSERT INTO "metrics" VALUES(3,1,2048,'entropy',6.85898955379213637328e-01);
INSERT INTO "metrics" VALUES(4,1,2048,'kl',7.46582278225105255842e-03);
INSERT INTO "metrics" VALUES(5,1,2048,'clipped',7.46435325735330668095e-02);
INSERT INTO "metrics" VALUES(6,1,2048,'mean_return',99.46875);
INSERT INTO "metrics" VALUES(7,1,2048,'training_score',2.21470588235294130186e+01);
INSERT INTO "metrics" VALUES(8,1,2048,'evaluation_score',99.46875);
INSERT INTO "metrics" VALUES(9,1,4096,'policy_loss',-1.23414416148264847322e-02);
INSERT INTO "metrics" VALUES(10,1,4096,'value_loss',4.39351952416556201796e+01);
INSERT INTO "metrics" VALUES(11,1,4096,'entropy',6.63303843566349526916e-01);
INSERT INTO "metrics" VALUES(12,1,4096,'kl',6.70312048368616915372e-03);
INSERT INTO "metrics" VALUES(13,1,4096,'clipped',6.18059061080262553411e-02);
INSERT INTO "metrics" VALUES(14,1,4096,'mean_return',83.5625);
INSERT INTO "metrics" VALUES(15,1,4096,'training_score',27.22);
INSERT INTO "metrics" VALUES(16,1,4096,'evaluation_score',83.5625);
INSERT INTO "metrics" VALUES(17,4,1,'loss',1.0);
INSERT INTO "metrics" VALUES(18,4,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(19,4,2,'loss',0.5);
INSERT INTO "metrics" VALUES(20,4,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(21,4,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(22,4,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(23,5,1,'loss',1.0);
INSERT INTO "metrics" VALUES(24,5,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(25,5,2,'loss',0.5);
INSERT INTO "metrics" VALUES(26,5,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(27,5,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(28,5,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(29,6,1,'loss',1.0);
INSERT INTO "metrics" VALUES(30,6,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(31,6,2,'loss',0.5);
INSERT INTO "metrics" VALUES(32,6,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(33,6,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(34,6,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(35,7,1,'loss',1.0);
INSERT INTO "metrics" VALUES(36,7,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(37,7,2,'loss',0.5);
INSERT INTO "metrics" VALUES(38,7,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(39,7,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(40,7,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(41,8,1,'loss',1.0);
INSERT INTO "metrics" VALUES(42,8,1,'evaluation_score',0.1);
INSERT INTO "metrics" VALUES(43,8,2,'loss',0.5);
INSERT INTO "metrics" VALUES(44,8,2,'evaluation_score',0.2);
INSERT INTO "metrics" VALUES(45,8,3,'loss',3.33333333333333314829e-01);
INSERT INTO "metrics" VALUES(46,8,3,'evaluation_score',0.3);
INSERT INTO "metrics" VALUES(47,8,4,'loss',0.25);
INSERT INTO "metrics" VALUES(48,8,4,'evaluation_score',0.4);
INSERT INTO "metrics" VALUES(49,8,5,'loss',0.2);
INSERT INTO "metrics" VALUES(50,8,5,'evaluation_score',0.5);
INSERT INTO "metrics" VALUES(51,8,6,'loss',1.66666666666666657414e-01);
INSERT INTO "metrics" VALUES(52,8,6,'evaluation_score',0.6);
CREATE TABLE pipelines (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, 
	modified_at FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT fk_pipelines_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_pipelines_project_id_name UNIQUE (project_id, name)
);
INSERT INTO "pipelines" VALUES(1,1,'balance','Keep a pole up, for long.',5,1.79585699026413345329e+09,1.79585700338077235227e+09,18);
INSERT INTO "pipelines" VALUES(2,1,'walks','',4,1.79585700339669609073e+09,1.79585700720321607588e+09,32);
INSERT INTO "pipelines" VALUES(3,1,'accidents','',2,1.79585700838412213329e+09,1.79585700840005040163e+09,38);
INSERT INTO "pipelines" VALUES(4,1,'patience','',2,1.79585700983273887634e+09,1.79585700984628224372e+09,44);
CREATE TABLE projects (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(255) NOT NULL, 
	advanced_training BOOLEAN NOT NULL, 
	created_at FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT uq_projects_name UNIQUE (name)
);
INSERT INTO "projects" VALUES(1,'Letters',1,1.79585698855097937584e+09,48);
INSERT INTO "projects" VALUES(2,'Plain',0,1.79585698857209014891e+09,7);
CREATE TABLE runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	pipeline_id INTEGER, 
	stage_id INTEGER, 
	experiment_id INTEGER, 
	number INTEGER NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	created_at FLOAT NOT NULL, 
	started_at FLOAT, 
	finished_at FLOAT, 
	start_checkpoint_id INTEGER, 
	start_agent_version_id INTEGER, 
	start_role VARCHAR(64), 
	source_checkpoint_id INTEGER, 
	source_run_id INTEGER, 
	resumed_run_id INTEGER, 
	config JSON NOT NULL, 
	config_digest VARCHAR(64), 
	seed INTEGER NOT NULL, 
	signature JSON NOT NULL, 
	algorithm_id INTEGER, 
	token VARCHAR(32), 
	host TEXT, 
	pid INTEGER, 
	pid_started FLOAT, 
	child_pid INTEGER, 
	child_started FLOAT, 
	beat_at FLOAT, 
	launches INTEGER NOT NULL, 
	launched_at FLOAT, 
	step INTEGER, 
	total INTEGER, 
	error TEXT, 
	revision INTEGER NOT NULL, lowest_evaluation FLOAT, highest_evaluation FLOAT, lowest_training FLOAT, highest_training FLOAT, launch_host TEXT, launch_pid INTEGER, launch_started FLOAT, 
	CONSTRAINT fk_runs_algorithm_id FOREIGN KEY(algorithm_id) REFERENCES algorithms (id), 
	CONSTRAINT fk_runs_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id), 
	CONSTRAINT fk_runs_pipeline_id FOREIGN KEY(pipeline_id) REFERENCES pipelines (id) ON DELETE SET NULL, 
	CONSTRAINT fk_runs_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT fk_runs_resumed_run_id FOREIGN KEY(resumed_run_id) REFERENCES runs (id), 
	CONSTRAINT fk_runs_source_run_id FOREIGN KEY(source_run_id) REFERENCES runs (id), 
	CONSTRAINT fk_runs_stage_id FOREIGN KEY(stage_id) REFERENCES stages (id) ON DELETE SET NULL
);
INSERT INTO "runs" VALUES(1,1,1,1,7,1,'Succeeded',1.79585699038965058331e+09,1.79585699534082555766e+09,1.7958569964791033268e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"hidden_units": 16, "num_envs": 32, "rollout_length": 64, "learning_rate": 0.0025, "discount": 0.99, "gae_lambda": 0.95, "clip": 0.2, "epochs": 4, "minibatch_size": 256, "entropy_weight": 0.005, "evaluation_episodes": 32, "env_id": "CartPole-v1", "steps": 4096}','f2f752349fcefa6786c5ef8291a200a9a6eacf5516e7afd74a463e8e3c39b921',1,'{"observation": "Box(4)", "action": "Discrete(2)", "network": "MLP(16, 16)"}',7,'00000000000000000000000000000001','host|boot|1',1,1.0,2,1.0,1.79585699635293698315e+09,1,1.79585699041044330598e+09,4096,4096,NULL,9,83.5625,99.46875,2.21470588235294130186e+01,27.22,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(2,1,1,2,NULL,1,'Succeeded',1.7958569964791033268e+09,1795856996.58841,1.79585700020030975343e+09,1,NULL,NULL,1,1,NULL,'{"agent_name": "balancer", "agent_description": "Keeps a pole up."}',NULL,0,'{}',NULL,'00000000000000000000000000000002','host|boot|1',1,1.0,2,1.0,1795856996.58841,0,NULL,NULL,NULL,NULL,12,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(3,1,1,2,NULL,2,'Succeeded',1.7958570003213379383e+09,1.79585700302044677734e+09,1.79585700318331336969e+09,1,NULL,NULL,1,1,NULL,'{"agent_name": "balancer", "agent_description": "Keeps a pole up."}',NULL,0,'{}',NULL,'00000000000000000000000000000003','host|boot|1',1,1.0,2,1.0,1.79585700302044677734e+09,1,1.79585700034008550638e+09,NULL,NULL,NULL,16,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(4,1,2,3,8,1,'Succeeded',1.79585700351998639109e+09,1.79585700562014484405e+09,1.79585700565820145608e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"steps": 3, "fail": false, "rest": 0.0}','64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3',0,'{}',8,'00000000000000000000000000000004','host|boot|1',1,1.0,2,1.0,1.79585700562014484405e+09,1,1.79585700352791404724e+09,3,3,NULL,28,0.1,0.3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(5,1,2,4,9,1,'Succeeded',1.79585700576501822471e+09,1.79585700707237243649e+09,1.7958570070957529545e+09,5,NULL,'weights',5,4,NULL,'{"steps": 3, "fail": false, "rest": 0.0}','64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3',0,'{}',8,'00000000000000000000000000000005','host|boot|1',1,1.0,2,1.0,1.79585700707237243649e+09,1,1.79585700576898765561e+09,3,3,NULL,31,0.1,0.3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(6,1,2,3,8,2,'Succeeded',1.79585700720321607588e+09,1.7958570083138706684e+09,1.79585700835274505613e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"steps": 3, "fail": false, "rest": 0.0}','64b9549300c998afd38cdf410110be924346562bbcde6560157a327b11deb1a3',0,'{}',8,'00000000000000000000000000000006','host|boot|1',1,1.0,2,1.0,1.7958570083138706684e+09,1,1.79585700720678472517e+09,3,3,NULL,34,0.1,0.3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(7,1,3,6,11,1,'Failed',1.79585700840005040163e+09,1.79585700976748490332e+09,1.79585700979244971275e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"steps": 3, "fail": true, "rest": 0.0}','50f8804ae53abafb65e70150de5340a42e446a7bcef36895601e8b8915b3d35d',0,'{}',8,'00000000000000000000000000000007','host|boot|1',1,1.0,2,1.0,1.79585700976748490332e+09,1,1795857008.40266,3,3,'Traceback (most recent call last):
  File "/packages/pipeline_widgets/execution/child.py", line 127, in carry_out
    return _train(job, emit, stop, go)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/packages/pipeline_widgets/execution/child.py", line 165, in _train
    algorithm(context)
  File "/packages/pipeline_widgets/algorithms/registry.py", line 54, in __call__
    self.train(ctx)
  File "/tmp/lab/make.py", line 56, in walk
    raise ValueError("the bridge is down")
ValueError: the bridge is down
',40,0.1,0.3,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(8,1,4,7,12,1,'Stopped',1.79585700984628224372e+09,1.79585701127241182326e+09,1.79585701232095241541e+09,NULL,NULL,NULL,NULL,NULL,NULL,'{"steps": 1000, "fail": false, "rest": 0.2}','f3f39f8abe43c02c450093dc68ab92e8012c77b9adf635b8b826344c66bf890a',0,'{}',8,'00000000000000000000000000000008','host|boot|1',1,1.0,2,1.0,1.79585701190553236007e+09,1,1.79585700984923815723e+09,6,1000,NULL,48,0.1,0.5,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE stages (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	pipeline_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	"trigger" VARCHAR(16) NOT NULL, 
	experiment_id INTEGER, 
	start VARCHAR(16), 
	start_agent_id INTEGER, 
	choice VARCHAR(16), 
	auto_add_agent BOOLEAN NOT NULL, 
	agent_name VARCHAR(255), 
	agent_description TEXT, 
	gate VARCHAR(16), 
	gate_score FLOAT, 
	held TEXT, 
	accepted_run_id INTEGER, 
	accepted_state TEXT, 
	accepted_note TEXT, 
	accepted_at FLOAT, 
	CONSTRAINT ck_stages_kind CHECK (kind IN ('experiment', 'deployment')), 
	CONSTRAINT fk_stages_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id), 
	CONSTRAINT fk_stages_pipeline_id FOREIGN KEY(pipeline_id) REFERENCES pipelines (id), 
	CONSTRAINT fk_stages_start_agent_id FOREIGN KEY(start_agent_id) REFERENCES agents (id)
);
INSERT INTO "stages" VALUES(1,1,0,'experiment','manual',7,'scratch',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(2,1,1,'deployment','auto',NULL,NULL,NULL,'final',0,'balancer','Keeps a pole up.',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(3,2,0,'experiment','manual',8,'scratch',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(4,2,1,'experiment','manual',9,'source',NULL,'best',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(5,2,2,'experiment','auto',10,'source',NULL,'best',0,NULL,NULL,'score',0.9,'The gate is not met: evaluation score 0.3, wanted at least 0.9.',NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(6,3,0,'experiment','manual',11,'scratch',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "stages" VALUES(7,4,0,'experiment','manual',12,'scratch',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE workspace (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	artifacts TEXT NOT NULL, 
	beat_every FLOAT NOT NULL, 
	grace FLOAT NOT NULL, 
	revision INTEGER NOT NULL
, identity VARCHAR(32), place TEXT);
INSERT INTO "workspace" VALUES(1,'lab-artifacts',5.0,60.0,8,'5e24c6b8f23349d3965516caea374199',NULL);
CREATE INDEX ix_experiments_project_id_experiments_revision ON experiments (project_id, revision);
CREATE INDEX ix_pipelines_project_id_pipelines_revision ON pipelines (project_id, revision);
CREATE INDEX ix_stages_experiment_id ON stages (experiment_id);
CREATE INDEX ix_stages_pipeline_id_stages_position ON stages (pipeline_id, position);
CREATE INDEX ix_stages_start_agent_id ON stages (start_agent_id);
CREATE INDEX ix_runs_experiment_id_runs_number ON runs (experiment_id, number);
CREATE INDEX ix_runs_pipeline_id ON runs (pipeline_id);
CREATE INDEX ix_runs_project_id_runs_revision ON runs (project_id, revision);
CREATE INDEX ix_runs_resumed_run_id ON runs (resumed_run_id);
CREATE INDEX ix_runs_source_checkpoint_id ON runs (source_checkpoint_id);
CREATE INDEX ix_runs_source_run_id ON runs (source_run_id);
CREATE INDEX ix_runs_stage_id_runs_experiment_id_runs_status ON runs (stage_id, experiment_id, status);
CREATE INDEX ix_runs_start_checkpoint_id ON runs (start_checkpoint_id);
CREATE UNIQUE INDEX uq_runs_active_experiment ON runs (experiment_id) WHERE status IN ('Pending', 'Running', 'Stopping');
CREATE UNIQUE INDEX uq_runs_active_stage ON runs (stage_id) WHERE status IN ('Pending', 'Running', 'Stopping');
CREATE INDEX ix_metrics_run_id ON metrics (run_id);
CREATE INDEX ix_agent_versions_checkpoint_id ON agent_versions (checkpoint_id);
CREATE INDEX ix_events_pipeline_id ON events (pipeline_id);
CREATE INDEX ix_agent_versions_run_id ON agent_versions (run_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('workspace',1);
INSERT INTO "sqlite_sequence" VALUES('projects',2);
INSERT INTO "sqlite_sequence" VALUES('algorithms',8);
INSERT INTO "sqlite_sequence" VALUES('experiments',12);
INSERT INTO "sqlite_sequence" VALUES('pipelines',4);
INSERT INTO "sqlite_sequence" VALUES('events',21);
INSERT INTO "sqlite_sequence" VALUES('stages',7);
INSERT INTO "sqlite_sequence" VALUES('runs',8);
INSERT INTO "sqlite_sequence" VALUES('metrics',52);
INSERT INTO "sqlite_sequence" VALUES('checkpoints',19);
INSERT INTO "sqlite_sequence" VALUES('agents',1);
INSERT INTO "sqlite_sequence" VALUES('agent_versions',2);
INSERT INTO "sqlite_sequence" VALUES('endpoints',1);
COMMIT;
